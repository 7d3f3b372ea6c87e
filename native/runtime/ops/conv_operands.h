#pragma once

#include "runtime/ops/activation.h"
#include "runtime/ops/conv_geometry.h"

namespace espalier {

// What convolutions read and write beside their filters. inputs: x, then `before - 1` others; bias
// [out_channels] if has_bias; a residual of the output's shape if has_residual.
class ConvOperands {
 public:
  ConvOperands(const StepSpec& spec, const BuildContext& build, const WindowGeometry& geometry,
               size_t before = 1);

  const Activation& activation() const { return activation_; }
  const float* x(const RunContext& context) const noexcept { return context.At<const float>(x_); }
  float* y(const RunContext& context) const noexcept { return context.At<float>(y_); }
  // Null where there is none.
  const float* bias(const RunContext& context) const noexcept {
    return has_bias_ ? context.At<const float>(bias_) : nullptr;
  }
  const float* residual(const RunContext& context) const noexcept {
    return has_residual_ ? context.At<const float>(residual_) : nullptr;
  }

  // The epilogue for rows of output planes: the first row belongs to output channel `channel` and begins
  // `offset` floats into y.
  Epilogue EpilogueAt(const RunContext& context, size_t channel, size_t offset) const noexcept;

 private:
  Activation activation_;
  size_t out_plane_;
  Address x_, y_, bias_, residual_;
  bool has_bias_, has_residual_;
};

}  // namespace espalier
