#include "runtime/ops/conv_operands.h"

#include "runtime/ops/product.h"

namespace espalier {

ConvOperands::ConvOperands(const StepSpec& spec, const BuildContext& build, const WindowGeometry& geometry,
                           size_t before)
    : activation_(ReadActivation(spec)),
      out_plane_(geometry.out_plane()),
      has_bias_(spec.Int("has_bias", 0) != 0),
      has_residual_(spec.Int("has_residual", 0) != 0) {
  spec.Expect(spec.inputs.size() == before + has_bias_ + has_residual_, "x, bias and residual");
  x_ = build.resolve(spec.inputs[0]);
  y_ = build.resolve(spec.outputs[0]);
  if (has_bias_) {
    spec.Expect(spec.inputs[before].Elements() == geometry.out_channels, "a bias of every output channel");
    bias_ = build.resolve(spec.inputs[before]);
  }
  if (has_residual_) {
    spec.Expect(spec.inputs.back().dims == spec.outputs[0].dims, "a residual of the output's shape");
    residual_ = build.resolve(spec.inputs.back());
  }
}

Epilogue ConvOperands::EpilogueAt(const RunContext& context, size_t channel, size_t offset) const noexcept {
  Epilogue epilogue = EpilogueOf(activation_);
  if (has_bias_) epilogue.bias = bias(context) + channel;
  if (has_residual_) epilogue.residual = residual(context) + offset;
  epilogue.residual_stride = out_plane_;
  return epilogue;
}

}  // namespace espalier
