#include "runtime/ops/depthwise_lanes.h"

#include <algorithm>
#include <vector>

#include "core/sizes.h"
#include "runtime/ops/conv_operands.h"

namespace espalier {
namespace {

// Where the windows of `count` outputs meet `size` inputs, along one axis.
std::vector<TapRange> TapRanges(size_t count, size_t size, size_t kernel, size_t stride, size_t dilation,
                                size_t pad) {
  std::vector<TapRange> ranges;
  for (size_t i = 0; i < count; ++i) {
    const size_t at = i * stride;  // of tap 0, with the padding before the plane counted
    const size_t first = std::min(at < pad ? (pad - at + dilation - 1) / dilation : 0, kernel);
    const size_t room = size + pad > at ? (size + pad - at + dilation - 1) / dilation : 0;
    const size_t end = std::max(std::min(room, kernel), first);
    ranges.push_back({first, end, end > first ? at + first * dilation - pad : 0});
  }
  return ranges;
}

class DepthwiseLanes final : public Step {
 public:
  DepthwiseLanes(const StepSpec& spec, const BuildContext& build, const WindowGeometry& geometry)
      : Step(spec.name),
        kernels_(build.kernels),
        geometry_(geometry),
        operands_(spec, build, geometry, 2),
        weights_(build.resolve(spec.inputs[1])) {
    const WindowGeometry& g = geometry_;
    rows_ = TapRanges(g.out_height, g.height, g.kernel_h, g.stride_h, g.dilation_h, g.pad_top);
    columns_ = TapRanges(g.out_width, g.width, g.kernel_w, g.stride_w, g.dilation_w, g.pad_left);
    const size_t groups = (g.channels + kLaneChannels - 1) / kLaneChannels;
    split_ = SplitWork(groups * g.batch, 1, build.threads);
    chunks_ = split_.parts;
    const size_t rows = AddSizes(AddSizes(g.plane(), g.out_plane()), AddSizes(g.taps(), 1));
    scratch_bytes_ = MultiplyAll({rows, kLaneChannels, sizeof(float)});
  }

  void Run(const RunContext& context, size_t chunk, uint8_t* scratch) const noexcept override {
    const WindowGeometry& g = geometry_;
    float* const x = reinterpret_cast<float*>(scratch);  // [plane, kLaneChannels]
    float* const y = x + g.plane() * kLaneChannels;      // [out plane, kLaneChannels]
    float* const weights = y + g.out_plane() * kLaneChannels;
    float* const bias = weights + g.taps() * kLaneChannels;
    const Activation& activation = operands_.activation();
    const LaneWindow window = {x,           g.width,       rows_.data(), columns_.data(), g.out_height,
                               g.out_width, weights,       g.kernel_w,   g.dilation_h,    g.dilation_w,
                               bias,        activation.lo, activation.hi};
    for (size_t i = split_.Begin(chunk); i < split_.End(chunk); ++i) {
      const size_t image = i % g.batch;
      const size_t channel = i / g.batch * kLaneChannels;
      const size_t count = std::min(kLaneChannels, g.channels - channel);
      const size_t plane = image * g.channels + channel;
      // Lanes past the last channel hold whatever was there, and are not written back.
      kernels_.transpose(operands_.x(context) + plane * g.plane(), g.plane(), count, g.plane(), x,
                         kLaneChannels);
      if (image == 0 || i == split_.Begin(chunk)) LoadFilters(context, channel, count, weights, bias);
      kernels_.window_lanes(window, y);
      if (!activation.is_clamp()) {
        kernels_.unary(activation.op, activation.alpha, activation.beta, y, y, g.out_plane() * kLaneChannels);
      }
      kernels_.transpose(y, kLaneChannels, g.out_plane(), count, operands_.y(context) + plane * g.out_plane(),
                         g.out_plane());
    }
  }

 private:
  // weights [taps, kLaneChannels] and bias [kLaneChannels] of `count` channels, the same for all images.
  void LoadFilters(const RunContext& context, size_t channel, size_t count, float* weights,
                   float* bias) const noexcept {
    const size_t taps = geometry_.taps();
    kernels_.transpose(context.At<const float>(weights_) + channel * taps, taps, count, taps, weights,
                       kLaneChannels);
    std::fill_n(bias, kLaneChannels, 0.0f);
    if (operands_.bias(context) != nullptr) std::copy_n(operands_.bias(context) + channel, count, bias);
  }

  const KernelTable& kernels_;
  const WindowGeometry geometry_;
  const ConvOperands operands_;
  const Address weights_;
  std::vector<TapRange> rows_;
  std::vector<TapRange> columns_;
  Split split_;
};

}  // namespace

bool LanesSuit(const StepSpec& spec, const WindowGeometry& geometry) {
  const WindowGeometry& g = geometry;
  if (g.out_channels != g.channels || g.channels < kLaneChannels / 2) return false;
  if (spec.Int("has_residual", 0) != 0) return false;
  // Measured, one thread: rows of 7 are 3.6 times as fast with AVX-512 and 2.3 times with AVX2, of 14 1.6
  // and 1.4 to 1.9 times, of 20 1.3 times or less. Windows that move by 2 columns, whose rows are taken apart
  // for it, and those without kernels of their own (window_sum) gain more: rows of 14 4.6 times, of 28 1.2 to
  // 2 times.
  const bool has_own_kernel =
      g.kernel_h == g.kernel_w && g.kernel_w <= 5 && g.dilation_h == 1 && g.dilation_w == 1;
  const size_t longest = g.stride_w > 1 || !has_own_kernel ? 28 : 16;
  constexpr size_t kLargestPlane = 4096;  // whose 16 channels take a quarter of the second-level cache
  return g.out_width <= longest && g.plane() <= kLargestPlane;
}

std::unique_ptr<Step> MakeDepthwiseLanes(const StepSpec& spec, const BuildContext& build,
                                         const WindowGeometry& geometry) {
  return std::make_unique<DepthwiseLanes>(spec, build, geometry);
}

}  // namespace espalier
