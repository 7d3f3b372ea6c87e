// Max and average pooling. ints: "average" 0 or 1, "count_include_pad" 0 or 1 (average only).

#include <algorithm>
#include <limits>

#include "runtime/ops/factories.h"
#include "runtime/ops/row_window.h"

namespace espalier {
namespace {

// How many of `kernel` taps of each of `outputs` windows lie inside [0, size).
std::vector<float> CountInside(size_t outputs, size_t kernel, size_t stride, size_t dilation, size_t pad,
                               size_t size) {
  std::vector<float> counts(outputs);
  for (size_t o = 0; o < outputs; ++o) {
    for (size_t k = 0; k < kernel; ++k) {
      const size_t padded = o * stride + k * dilation;
      counts[o] += padded >= pad && padded - pad < size ? 1.0f : 0.0f;
    }
  }
  return counts;
}

class Pool2d final : public Step {
 public:
  Pool2d(const StepSpec& spec, const BuildContext& build)
      : Step(spec.name),
        kernels_(build.kernels),
        geometry_(ReadWindow(spec)),
        average_(spec.Int("average") != 0),
        window_(geometry_, average_ ? 0.0f : -std::numeric_limits<float>::infinity()) {
    const WindowGeometry& g = geometry_;
    spec.Expect(g.channels == g.out_channels, "as many channels out as in");
    x_ = build.resolve(spec.inputs[0]);
    y_ = build.resolve(spec.outputs[0]);
    if (average_) {
      if (spec.Int("count_include_pad", 0) != 0) {
        // Windows that a rounded-up output size makes reach past the padding count only up to its end.
        const std::vector<size_t> pads_after = spec.Sizes("pads_after");
        spec.Expect(pads_after.size() == 2, "two sizes in pads_after");
        count_y_ = CountInside(g.out_height, g.kernel_h, g.stride_h, g.dilation_h, 0,
                               g.pad_top + g.height + pads_after[0]);
        count_x_ = CountInside(g.out_width, g.kernel_w, g.stride_w, g.dilation_w, 0,
                               g.pad_left + g.width + pads_after[1]);
      } else {
        count_y_ = CountInside(g.out_height, g.kernel_h, g.stride_h, g.dilation_h, g.pad_top, g.height);
        count_x_ = CountInside(g.out_width, g.kernel_w, g.stride_w, g.dilation_w, g.pad_left, g.width);
      }
    }
    split_ = SplitWork(g.batch * g.channels, 1, build.threads);
    chunks_ = split_.parts;
    scratch_bytes_ =
        RoundUp(g.taps() * sizeof(float*), kAlignment) + window_.scratch_floats() * sizeof(float);
    ones_.assign(g.taps(), 1.0f);
  }

  void Run(const RunContext& context, size_t chunk, uint8_t* scratch) const noexcept override {
    const WindowGeometry& g = geometry_;
    const auto taps = reinterpret_cast<const float**>(scratch);  // [taps]
    float* buffer = reinterpret_cast<float*>(scratch + RoundUp(g.taps() * sizeof(float*), kAlignment));
    for (size_t plane = split_.Begin(chunk); plane < split_.End(chunk); ++plane) {
      const float* x = context.At<const float>(x_) + plane * g.plane();
      float* y = context.At<float>(y_) + plane * g.out_plane();
      for (size_t out_row = 0; out_row < g.out_height; out_row += window_.strip_rows()) {
        const size_t rows = std::min(window_.strip_rows(), g.out_height - out_row);
        window_.Load(kernels_, x, out_row, rows, buffer);
        if (average_) {
          AverageStrip(buffer, out_row, rows, y + out_row * g.out_width);
          continue;
        }
        for (size_t row = 0; row < rows; ++row) {
          window_.Taps(buffer, row, taps);
          kernels_.max_taps(taps, g.taps(), g.out_width, y + (out_row + row) * g.out_width);
        }
      }
    }
  }

 private:
  void AverageStrip(const float* buffer, size_t out_row, size_t rows, float* y) const noexcept {
    const size_t width = geometry_.out_width;
    WindowRows window = window_.Rows(buffer, rows);
    window.weights = ones_.data();
    kernels_.window_sum(window, width, y, width);
    for (size_t row = 0; row < rows; ++row, y += width) {
      kernels_.unary(UnaryOp::kAffine, 1.0f / count_y_[out_row + row], 0.0f, y, y, width);
      kernels_.binary(BinaryOp::kDiv, y, 1, count_x_.data(), 1, y, width);
    }
  }

  const KernelTable& kernels_;
  const WindowGeometry geometry_;
  const bool average_;
  const RowWindow window_;
  std::vector<float> count_y_;  // [out_height], taps that count in the window's height
  std::vector<float> count_x_;  // [out_width]
  std::vector<float> ones_;     // [taps]
  Split split_;
  Address x_, y_;
};

}  // namespace

std::unique_ptr<Step> MakePool2d(const StepSpec& spec, const BuildContext& build) {
  return std::make_unique<Pool2d>(spec, build);
}

}  // namespace espalier
