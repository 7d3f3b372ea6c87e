// y [n, outputs] = x [n, inputs] * W^T with packed weights W [outputs, inputs]. inputs: x, bias [outputs] if
// has_bias, residual [n, outputs] if has_residual.

#include <algorithm>
#include <limits>

#include "runtime/ops/activation.h"
#include "runtime/ops/factories.h"
#include "runtime/ops/panel_matmul.h"

namespace espalier {
namespace {

class Matmul final : public Step {
 public:
  Matmul(const StepSpec& spec, const BuildContext& build)
      : Step(spec.name), kernels_(build.kernels), activation_(ReadActivation(spec)) {
    spec.Expect(spec.weights.size() == 1 && spec.outputs.size() == 1, "one weight matrix and one output");
    weights_ = build.weights(spec.weights[0]);
    has_bias_ = spec.Int("has_bias", 0) != 0;
    has_residual_ = spec.Int("has_residual", 0) != 0;
    spec.Expect(spec.inputs.size() == 1u + has_bias_ + has_residual_, "x, bias and residual");
    spec.ExpectFloat32();
    const size_t outputs = weights_->rows();
    const size_t inputs = weights_->cols();
    n_ = spec.Size("n");
    spec.Expect(spec.inputs[0].Elements() == Product({n_, inputs}), "x [n, inputs]");
    spec.Expect(spec.outputs[0].Elements() == Product({n_, outputs}), "an output [n, outputs]");
    x_ = build.resolve(spec.inputs[0]);
    y_ = build.resolve(spec.outputs[0]);
    if (has_bias_) {
      spec.Expect(spec.inputs[1].Elements() == outputs, "a bias [outputs]");
      bias_ = build.resolve(spec.inputs[1]);
    }
    if (has_residual_) {
      spec.Expect(spec.inputs.back().Elements() == Product({n_, outputs}), "a residual [n, outputs]");
      residual_ = build.resolve(spec.inputs.back());
    }
    const size_t row_blocks = (outputs + 15) / 16;
    if (n_ == 1) {
      constexpr size_t kBytesPerPart = 32 * 1024;  // less is not worth another thread
      const size_t bytes_per_block = weights_->byte_size() / std::max<size_t>(row_blocks, 1);
      row_parts_ =
          SplitWork(row_blocks, kBytesPerPart / std::max<size_t>(bytes_per_block, 1), build.threads).parts;
      chunks_ = row_parts_;
      return;
    }
    panel_width_ = std::min(PanelWidth(inputs, n_), RoundUp(n_, 16));
    panel_rows_ = PanelRows(inputs, panel_width_);
    tiles_ = (n_ + panel_width_ - 1) / panel_width_;
    row_parts_ = tiles_ >= build.threads * 2 ? 1 : std::min(build.threads * 2, row_blocks);
    if (build.threads == 1) row_parts_ = 1;
    row_parts_ = std::max<size_t>(row_parts_, 1);
    chunks_ = tiles_ * row_parts_;
    scratch_bytes_ = (inputs + outputs) * panel_width_ * sizeof(float);
  }

  void Run(const RunContext& context, size_t chunk, uint8_t* scratch) const noexcept override {
    const size_t outputs = weights_->rows();
    size_t row_begin = 0;
    size_t row_end = 0;
    RowRange(outputs, row_parts_, chunk % row_parts_, &row_begin, &row_end);
    Epilogue epilogue{};
    epilogue.bias = has_bias_ ? context.At<const float>(bias_) : nullptr;
    const bool clamp_now = !has_residual_ || n_ == 1;
    epilogue.lo = clamp_now ? activation_.lo : -std::numeric_limits<float>::infinity();
    epilogue.hi = clamp_now ? activation_.hi : std::numeric_limits<float>::infinity();
    const float* residual = has_residual_ ? context.At<const float>(residual_) : nullptr;
    const float* x = context.At<const float>(x_);
    float* y = context.At<float>(y_);
    if (n_ == 1) {
      epilogue.residual = residual;
      Gemv(kernels_, *weights_, row_begin, row_end, x, y, epilogue);
      Finish(y + row_begin, nullptr, row_end - row_begin);
      return;
    }

    const size_t inputs = weights_->cols();
    const size_t first = chunk / row_parts_ * panel_width_;
    const size_t width = std::min(panel_width_, n_ - first);
    float* panel = reinterpret_cast<float*>(scratch);  // [inputs, panel_width_]
    float* product = panel + inputs * panel_width_;    // [outputs, panel_width_]
    kernels_.transpose(x + first * inputs, inputs, width, inputs, panel, panel_width_);
    PanelMatmul(kernels_, *weights_, row_begin, row_end, Panel{panel, panel_rows_.data()}, width, product,
                panel_width_, epilogue);
    float* out = y + first * outputs + row_begin;
    kernels_.transpose(product + row_begin * panel_width_, panel_width_, row_end - row_begin, width, out,
                       outputs);
    if (!has_residual_ && activation_.is_clamp()) return;
    for (size_t i = 0; i < width; ++i) {
      Finish(out + i * outputs, residual ? residual + (first + i) * outputs + row_begin : nullptr,
             row_end - row_begin);
    }
  }

 private:
  // What the kernels' epilogue did not do, on one row of the output that is still in cache.
  void Finish(float* y, const float* residual, size_t count) const noexcept {
    if (residual != nullptr) {
      kernels_.binary(BinaryOp::kAdd, y, 1, residual, 1, y, count);
      if (activation_.is_clamp()) kernels_.unary(UnaryOp::kClip, activation_.lo, activation_.hi, y, y, count);
    }
    if (!activation_.is_clamp())
      kernels_.unary(activation_.op, activation_.alpha, activation_.beta, y, y, count);
  }

  const KernelTable& kernels_;
  const Activation activation_;
  std::shared_ptr<const PackedWeights> weights_;
  size_t n_ = 0;
  size_t panel_width_ = 0;  // a multiple of 16
  std::vector<uint32_t> panel_rows_;
  size_t tiles_ = 1;
  size_t row_parts_ = 1;
  Address x_, y_, bias_, residual_;
  bool has_bias_ = false;
  bool has_residual_ = false;
};

}  // namespace

std::unique_ptr<Step> MakeMatmul(const StepSpec& spec, const BuildContext& build) {
  return std::make_unique<Matmul>(spec, build);
}

}  // namespace espalier
