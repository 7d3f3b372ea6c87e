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
    scratch_bytes_ = RoundUp(g.taps() * sizeof(float*), kAlignment) +
                     RoundUp(g.taps() * sizeof(float), kAlignment) + window_.scratch_floats() * sizeof(float);
  }

  void Run(const RunContext& context, size_t chunk, uint8_t* scratch) const noexcept override {
    const WindowGeometry& g = geometry_;
    const auto taps = reinterpret_cast<const float**>(scratch);  // [taps]
    float* weights =
        reinterpret_cast<float*>(scratch + RoundUp(g.taps() * sizeof(float*), kAlignment));  // [taps]
    float* buffer = weights + RoundUp(g.taps() * sizeof(float), kAlignment) / sizeof(float);
    for (size_t plane = split_.Begin(chunk); plane < split_.End(chunk); ++plane) {
      const float* x = context.At<const float>(x_) + plane * g.plane();
      float* y = context.At<float>(y_) + plane * g.out_plane();
      for (size_t out_row = 0; out_row < g.out_height; out_row += window_.strip_rows()) {
        const size_t rows = std::min(window_.strip_rows(), g.out_height - out_row);
        window_.Load(x, out_row, rows, buffer);
        for (size_t row = 0; row < rows; ++row) {
          window_.Taps(buffer, row, taps);
          RunRow(taps, weights, out_row + row, y + (out_row + row) * g.out_width);
        }
      }
    }
  }

 private:
  void RunRow(const float* const* taps, float* weights, size_t row, float* y) const noexcept {
    const WindowGeometry& g = geometry_;
    if (!average_) return kernels_.max_taps(taps, g.taps(), g.out_width, y);
    const float infinity = std::numeric_limits<float>::infinity();
    std::fill(weights, weights + g.taps(), 1.0f / count_y_[row]);
    kernels_.weighted_taps(taps, weights, g.taps(), g.out_width, y, 0.0f, nullptr, -infinity, infinity);
    kernels_.binary(BinaryOp::kDiv, y, 1, count_x_.data(), 1, y, g.out_width);
  }

  const KernelTable& kernels_;
  const WindowGeometry geometry_;
  const bool average_;
  const RowWindow window_;
  std::vector<float> count_y_;  // [out_height], taps that count in the window's height
  std::vector<float> count_x_;  // [out_width]
  Split split_;
  Address x_, y_;
};

}  // namespace

std::unique_ptr<Step> MakePool2d(const StepSpec& spec, const BuildContext& build) {
  return std::make_unique<Pool2d>(spec, build);
}

}  // namespace espalier
