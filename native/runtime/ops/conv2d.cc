// Convolution as panel matmul: y [out_channels, pixels] = W [out_channels, channels * taps] * panel, where
// the panel holds, for a run of output pixels, the input value under every channel and tap (im2col, one tile
// at a time, so that it stays in cache). Dense and sparse weights share it.

#include <algorithm>
#include <cstring>

#include "runtime/ops/activation.h"
#include "runtime/ops/conv_geometry.h"
#include "runtime/ops/factories.h"
#include "runtime/ops/panel_matmul.h"

namespace espalier {
namespace {

// Copies short runs without the cost of a call.
inline void CopyRun(const float* from, float* to, size_t count) noexcept {
  constexpr size_t kChunk = 16;
  size_t i = 0;
  for (; i + kChunk <= count; i += kChunk) std::memcpy(to + i, from + i, kChunk * sizeof(float));
  for (; i + 4 <= count; i += 4) std::memcpy(to + i, from + i, 4 * sizeof(float));
  for (; i < count; ++i) to[i] = from[i];
}

// Output pixels [column, column + count) of one output row, which fill panel columns [panel_column, ...).
struct PixelRun {
  size_t row;
  size_t column;
  size_t count;
  size_t panel_column;
};

// What tap column kw sees for a run: `before` pixels of padding, `inside` input values from input column
// `input`, then padding again.
struct TapRun {
  size_t before;
  size_t inside;
  size_t input;
};

TapRun SeeThrough(const WindowGeometry& g, const PixelRun& run, size_t kw) noexcept {
  const auto stride = static_cast<ptrdiff_t>(g.stride_w);
  const ptrdiff_t shift = static_cast<ptrdiff_t>(kw * g.dilation_w) - static_cast<ptrdiff_t>(g.pad_left);
  const auto begin = static_cast<ptrdiff_t>(run.column);
  const ptrdiff_t end = begin + static_cast<ptrdiff_t>(run.count);
  const ptrdiff_t past = static_cast<ptrdiff_t>(g.width) - shift;
  const ptrdiff_t first = std::clamp(shift < 0 ? (-shift + stride - 1) / stride : 0, begin, end);
  const ptrdiff_t last = std::clamp(past > 0 ? (past + stride - 1) / stride : 0, first, end);
  return TapRun{static_cast<size_t>(first - begin), static_cast<size_t>(last - first),
                last > first ? static_cast<size_t>(first * stride + shift) : 0};
}

// Writes a run of output pixels to the panel [channels * taps, panel_stride], for every channel and tap.
// x: [channels, height, width].
void PackRun(const WindowGeometry& g, const float* x, size_t channels, const PixelRun& run, float* panel,
             size_t panel_stride) noexcept {
  for (size_t kh = 0; kh < g.kernel_h; ++kh) {
    const ptrdiff_t iy =
        static_cast<ptrdiff_t>(run.row * g.stride_h + kh * g.dilation_h) - static_cast<ptrdiff_t>(g.pad_top);
    const bool outside = iy < 0 || iy >= static_cast<ptrdiff_t>(g.height);
    for (size_t kw = 0; kw < g.kernel_w; ++kw) {
      const TapRun tap = outside ? TapRun{run.count, 0, 0} : SeeThrough(g, run, kw);
      const size_t after = run.count - tap.before - tap.inside;
      const float* from = outside ? x : x + static_cast<size_t>(iy) * g.width + tap.input;
      float* to = panel + (kh * g.kernel_w + kw) * panel_stride + run.panel_column;
      for (size_t channel = 0; channel < channels;
           ++channel, from += g.plane(), to += g.taps() * panel_stride) {
        for (size_t i = 0; i < tap.before; ++i) to[i] = 0.0f;
        float* inside = to + tap.before;
        if (g.stride_w == 1) {
          CopyRun(from, inside, tap.inside);
        } else {
          for (size_t i = 0; i < tap.inside; ++i) inside[i] = from[i * g.stride_w];
        }
        for (size_t i = 0; i < after; ++i) inside[tap.inside + i] = 0.0f;
      }
    }
  }
}

// A plain 1x1 window sees a plane as one long row, so that runs of pixels do not end with the image's rows.
WindowGeometry Flatten(WindowGeometry g) {
  if (g.taps() == 1 && g.stride_h == 1 && g.stride_w == 1 && g.pad_top == 0 && g.pad_left == 0 &&
      g.plane() == g.out_plane()) {
    g.width = g.out_width = g.plane();
    g.height = g.out_height = 1;
  }
  return g;
}

class Conv2d final : public Step {
 public:
  Conv2d(const StepSpec& spec, const BuildContext& build)
      : Step(spec.name),
        kernels_(build.kernels),
        geometry_(Flatten(ReadWindow(spec))),
        activation_(ReadActivation(spec)) {
    const WindowGeometry& g = geometry_;
    const size_t groups = spec.weights.size();
    spec.Expect(groups > 0 && g.channels % groups == 0 && g.out_channels % groups == 0,
                "weights for every group");
    group_channels_ = g.channels / groups;
    group_outputs_ = g.out_channels / groups;
    for (size_t id : spec.weights) {
      weights_.push_back(build.weights(id));
      spec.Expect(weights_.back()->rows() == group_outputs_ &&
                      weights_.back()->cols() == Product({group_channels_, g.taps()}),
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
    for (size_t done = 0; done < width;) {
      const size_t row = (pixel + done) / g.out_width;
      const size_t column = (pixel + done) % g.out_width;
      const size_t count = std::min(width - done, g.out_width - column);
      PackRun(g, x, group_channels_, PixelRun{row, column, count, done}, panel, panel_stride);
      done += count;
    }
    for (size_t k = 0; width < panel_stride && k < group_channels_ * g.taps(); ++k) {
      std::fill(panel + k * panel_stride + width, panel + (k + 1) * panel_stride, 0.0f);
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
    PanelMatmul(kernels_, *weights_[group], row_begin, row_end, panel, panel_stride, width, y, g.out_plane(),
                epilogue);
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
