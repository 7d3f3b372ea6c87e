// Convolution with one input channel per group: every output row is a weighted sum of kernel_h * kernel_w
// input rows (or, where rows are short, depthwise_lanes.h). inputs: x, weights [out_channels, taps] (raw
// float32), bias [out_channels] if has_bias, residual if has_residual.

#include <algorithm>

#include "runtime/ops/conv_operands.h"
#include "runtime/ops/depthwise_lanes.h"
#include "runtime/ops/factories.h"
#include "runtime/ops/row_window.h"

namespace espalier {
namespace {

class DepthwiseConv2d final : public Step {
 public:
  DepthwiseConv2d(const StepSpec& spec, const BuildContext& build)
      : Step(spec.name),
        kernels_(build.kernels),
        geometry_(ReadWindow(spec)),
        operands_(spec, build, geometry_, 2),
        window_(geometry_, 0.0f) {
    const WindowGeometry& g = geometry_;
    weights_ = build.resolve(spec.inputs[1]);
    const size_t planes = g.batch * g.channels;
    split_ = SplitWork(planes, 1, build.threads);
    chunks_ = split_.parts;
    scratch_bytes_ = window_.scratch_floats() * sizeof(float);
  }

  void Run(const RunContext& context, size_t chunk, uint8_t* scratch) const noexcept override {
    const WindowGeometry& g = geometry_;
    float* buffer = reinterpret_cast<float*>(scratch);
    const size_t multiplier = g.out_channels / g.channels;
    for (size_t plane = split_.Begin(chunk); plane < split_.End(chunk); ++plane) {
      const float* x = operands_.x(context) + plane * g.plane();
      for (size_t out_row = 0; out_row < g.out_height; out_row += window_.strip_rows()) {
        const size_t rows = std::min(window_.strip_rows(), g.out_height - out_row);
        window_.Load(kernels_, x, out_row, rows, buffer);
        for (size_t m = 0; m < multiplier; ++m)
          RunStrip(context, plane * multiplier + m, out_row, rows, buffer);
      }
    }
  }

 private:
  // Output rows [out_row, out_row + rows) of one output plane, counted over batch and channels.
  void RunStrip(const RunContext& context, size_t out_plane, size_t out_row, size_t rows,
                const float* buffer) const noexcept {
    const WindowGeometry& g = geometry_;
    const size_t channel = out_plane % g.out_channels;
    const size_t offset = out_plane * g.out_plane() + out_row * g.out_width;
    const Activation& activation = operands_.activation();
    const Epilogue epilogue = operands_.EpilogueAt(context, channel, offset);
    float* y = operands_.y(context) + offset;
    WindowRows window = window_.Rows(buffer, rows);
    window.weights = context.At<const float>(weights_) + channel * g.taps();
    window.bias = epilogue.bias != nullptr ? *epilogue.bias : 0.0f;
    window.residual = epilogue.residual;
    window.residual_stride = g.out_width;
    window.lo = activation.lo;
    window.hi = activation.hi;
    kernels_.window_sum(window, g.out_width, y, g.out_width);
    if (!activation.is_clamp()) {
      kernels_.unary(activation.op, activation.alpha, activation.beta, y, y, rows * g.out_width);
    }
  }

  const KernelTable& kernels_;
  const WindowGeometry geometry_;
  const ConvOperands operands_;
  const RowWindow window_;
  Split split_;
  Address weights_;
};

}  // namespace

std::unique_ptr<Step> MakeDepthwiseConv2d(const StepSpec& spec, const BuildContext& build) {
  const WindowGeometry g = ReadWindow(spec);
  spec.Expect(spec.inputs.size() >= 2, "x and weights");
  spec.Expect(g.channels > 0 && g.out_channels % g.channels == 0,
              "output channels a multiple of the channels");
  spec.Expect(spec.inputs[1].Elements() == MultiplyAll({g.out_channels, g.taps()}),
              "weights [out channels, taps]");
  if (LanesSuit(spec, g)) return MakeDepthwiseLanes(spec, build, g);
  return std::make_unique<DepthwiseConv2d>(spec, build);
}

}  // namespace espalier
