// Convolution as panel matmul: y [out_channels, pixels] = W [out_channels, channels * taps] * panel, where the panel
// holds, for a run of output pixels, the input value under every channel and tap (im2col, one tile at a time, so that
// it stays in cache). Dense and sparse weights share it.

#include <algorithm>
#include <cstring>

#include "runtime/ops/activation.h"
#include "runtime/ops/conv_geometry.h"
#include "runtime/ops/factories.h"
#include "runtime/ops/panel_matmul.h"

namespace espalier {
namespace {

// One row of the panel: the input plane as seen through tap (kh, kw) by output pixels [pixel, pixel + count).
void PackTap(const WindowGeometry& g, const float* plane, size_t kh, size_t kw, size_t pixel, size_t count,
             float* out) noexcept {
  const ptrdiff_t shift_x = static_cast<ptrdiff_t>(kw * g.dilation_w) - static_cast<ptrdiff_t>(g.pad_left);
  const ptrdiff_t width = static_cast<ptrdiff_t>(g.width);
  const ptrdiff_t stride = static_cast<ptrdiff_t>(g.stride_w);
  size_t oy = pixel / g.out_width;
  size_t ox = pixel % g.out_width;
  while (count > 0) {
    const size_t run = std::min(count, g.out_width - ox);
    const ptrdiff_t iy = static_cast<ptrdiff_t>(oy * g.stride_h + kh * g.dilation_h) - static_cast<ptrdiff_t>(g.pad_top);
    if (iy < 0 || iy >= static_cast<ptrdiff_t>(g.height)) {
      std::memset(out, 0, run * sizeof(float));
    } else {
      const float* row = plane + static_cast<size_t>(iy) * g.width;
      // Output columns [first, last) look inside the row; those beside them see padding.
      const ptrdiff_t begin = static_cast<ptrdiff_t>(ox);
      const ptrdiff_t end = begin + static_cast<ptrdiff_t>(run);
      const ptrdiff_t first = std::clamp((std::max<ptrdiff_t>(-shift_x, 0) + stride - 1) / stride, begin, end);
      const ptrdiff_t past = width - shift_x;  // first position past the row, as seen from output column 0
      const ptrdiff_t last = std::clamp(past <= 0 ? 0 : (past + stride - 1) / stride, first, end);
      float* to = out - begin;
      for (ptrdiff_t i = begin; i < first; ++i) to[i] = 0.0f;
      if (stride == 1) {
        if (last > first) std::memcpy(to + first, row + first + shift_x, static_cast<size_t>(last - first) * sizeof(float));
      } else {
        const float* from = row + shift_x;
        for (ptrdiff_t i = first; i < last; ++i) to[i] = from[i * stride];
      }
      for (ptrdiff_t i = last; i < end; ++i) to[i] = 0.0f;
    }
    out += run;
    count -= run;
    ox = 0;
    ++oy;
  }
}

class Conv2d final : public Step {
 public:
  Conv2d(const StepSpec& spec, const BuildContext& build)
      : Step(spec.name), kernels_(build.kernels), geometry_(ReadWindow(spec)), activation_(ReadActivation(spec)) {
    const WindowGeometry& g = geometry_;
    const size_t groups = spec.weights.size();
    spec.Expect(groups > 0 && g.channels % groups == 0 && g.out_channels % groups == 0, "weights for every group");
    group_channels_ = g.channels / groups;
    group_outputs_ = g.out_channels / groups;
    for (size_t id : spec.weights) {
      weights_.push_back(build.weights(id));
      spec.Expect(weights_.back()->rows() == group_outputs_ && weights_.back()->cols() == group_channels_ * g.taps(),
                  "weights [outputs, channels x taps]");
    }
    x_ = build.resolve(spec.inputs[0]);
    y_ = build.resolve(spec.outputs[0]);
    has_bias_ = spec.Int("has_bias", 0) != 0;
    has_residual_ = spec.Int("has_residual", 0) != 0;
    spec.Expect(spec.inputs.size() == 1u + has_bias_ + has_residual_, "x, bias and residual");
    if (has_bias_) {
      spec.Expect(spec.inputs[1].Elements() == g.out_channels, "a bias of every output channel");
      bias_ = build.resolve(spec.inputs[1]);
    }
    if (has_residual_) {
      spec.Expect(spec.inputs.back().dims == spec.outputs[0].dims, "a residual of the output's shape");
      residual_ = build.resolve(spec.inputs.back());
    }

    const size_t k = group_channels_ * g.taps();
    panel_width_ = PanelWidth(k, g.out_plane());
    if (build.threads > 1) {  // narrower panels, so that every thread has some
      const size_t share = RoundUp((g.out_plane() + build.threads * 2 - 1) / (build.threads * 2), 48);
      panel_width_ = std::min(panel_width_, share);
    }
    tiles_ = (g.out_plane() + panel_width_ - 1) / panel_width_;
    const size_t pieces = g.batch * groups * tiles_;
    // Where there are few panels the rows are shared too; each thread then packs the panel for itself.
    row_parts_ = pieces >= build.threads ? 1 : std::min(build.threads, (group_outputs_ + 15) / 16);
    chunks_ = pieces * row_parts_;
    scratch_bytes_ = k * panel_width_ * sizeof(float);
  }

  void Run(const RunContext& context, size_t chunk, uint8_t* scratch) const noexcept override {
    const WindowGeometry& g = geometry_;
    const size_t part = chunk % row_parts_;
    const size_t tile = chunk / row_parts_ % tiles_;
    const size_t group = chunk / row_parts_ / tiles_ % weights_.size();
    const size_t image = chunk / row_parts_ / tiles_ / weights_.size();
    const size_t pixel = tile * panel_width_;
    const size_t width = std::min(panel_width_, g.out_plane() - pixel);
    const size_t panel_stride = RoundUp(width, 16);

    float* panel = reinterpret_cast<float*>(scratch);  // [channels * taps, panel_stride]
    const float* x = context.At<const float>(x_) + (image * g.channels + group * group_channels_) * g.plane();
    float* to = panel;
    for (size_t channel = 0; channel < group_channels_; ++channel) {
      for (size_t kh = 0; kh < g.kernel_h; ++kh) {
        for (size_t kw = 0; kw < g.kernel_w; ++kw, to += panel_stride) {
          PackTap(g, x + channel * g.plane(), kh, kw, pixel, width, to);
          for (size_t i = width; i < panel_stride; ++i) to[i] = 0.0f;
        }
      }
    }

    size_t row_begin = 0;
    size_t row_end = 0;
    RowRange(group_outputs_, row_parts_, part, &row_begin, &row_end);
    const size_t first_channel = image * g.out_channels + group * group_outputs_;
    const size_t out_offset = first_channel * g.out_plane() + pixel;
    float* y = context.At<float>(y_) + out_offset;
    Epilogue epilogue{};
    epilogue.bias = has_bias_ ? context.At<const float>(bias_) + group * group_outputs_ : nullptr;
    epilogue.residual = has_residual_ ? context.At<const float>(residual_) + out_offset : nullptr;
    epilogue.residual_stride = g.out_plane();
    epilogue.lo = activation_.lo;
    epilogue.hi = activation_.hi;
    PanelMatmul(kernels_, *weights_[group], row_begin, row_end, panel, panel_stride, width, y, g.out_plane(), epilogue);
    if (!activation_.is_clamp()) {
      for (size_t row = row_begin; row < row_end; ++row) {
        float* values = y + row * g.out_plane();
        kernels_.unary(activation_.op, activation_.alpha, activation_.beta, values, values, width);
      }
    }
  }

 private:
  const KernelTable& kernels_;
  const WindowGeometry geometry_;
  const Activation activation_;
  std::vector<std::shared_ptr<const PackedWeights>> weights_;  // by group
  size_t group_channels_ = 0;
  size_t group_outputs_ = 0;
  size_t panel_width_ = 0;
  size_t tiles_ = 0;
  size_t row_parts_ = 1;
  Address x_, y_, bias_, residual_;
  bool has_bias_ = false;
  bool has_residual_ = false;
};

}  // namespace

std::unique_ptr<Step> MakeConv2d(const StepSpec& spec, const BuildContext& build) {
  return std::make_unique<Conv2d>(spec, build);
}

}  // namespace espalier
