// The second half of a transposed convolution. A matmul has made x [batch, out_channels * taps, height,
// width]: what every input pixel adds under every tap of the kernel. Here each goes to its place (col2im): y
// [batch, out_channels, iy * stride_h + kh * dilation_h - pad_top, ...] += x [batch, (channel, kh, kw), iy,
// ix]. inputs: x, bias [out_channels] if has_bias.

#include <algorithm>

#include "runtime/ops/activation.h"
#include "runtime/ops/conv_geometry.h"
#include "runtime/ops/factories.h"

namespace espalier {
namespace {

class ConvScatter final : public Step {
 public:
  ConvScatter(const StepSpec& spec, const BuildContext& build)
      : Step(spec.name),
        kernels_(build.kernels),
        geometry_(ReadWindow(spec)),
        activation_(ReadActivation(spec)) {
    const WindowGeometry& g = geometry_;
    has_bias_ = spec.Int("has_bias", 0) != 0;
    spec.Expect(g.channels == MultiplyAll({g.out_channels, g.taps()}),
                "x [batch, out channels x taps, height, width]");
    spec.Expect(spec.inputs.size() == 1u + has_bias_, "x and bias");
    x_ = build.resolve(spec.inputs[0]);
    y_ = build.resolve(spec.outputs[0]);
    if (has_bias_) {
      spec.Expect(spec.inputs[1].Elements() == g.out_channels, "a bias of every output channel");
      bias_ = build.resolve(spec.inputs[1]);
    }
    split_ = SplitWork(g.batch * g.out_channels, 1, build.threads);
    chunks_ = split_.parts;
  }

  void Run(const RunContext& context, size_t chunk, uint8_t*) const noexcept override {
    const WindowGeometry& g = geometry_;
    for (size_t plane = split_.Begin(chunk); plane < split_.End(chunk); ++plane) {
      const float* x = context.At<const float>(x_) + plane * g.taps() * g.plane();
      float* y = context.At<float>(y_) + plane * g.out_plane();
      std::fill(y, y + g.out_plane(),
                has_bias_ ? context.At<const float>(bias_)[plane % g.out_channels] : 0.0f);
      for (size_t kh = 0; kh < g.kernel_h; ++kh) {
        for (size_t kw = 0; kw < g.kernel_w; ++kw, x += g.plane()) ScatterTap(x, kh, kw, y);
      }
      const UnaryOp op = activation_.is_clamp() ? UnaryOp::kClip : activation_.op;
      const float alpha = activation_.is_clamp() ? activation_.lo : activation_.alpha;
      const float beta = activation_.is_clamp() ? activation_.hi : activation_.beta;
      kernels_.unary(op, alpha, beta, y, y, g.out_plane());
    }
  }

 private:
  void ScatterTap(const float* x, size_t kh, size_t kw, float* y) const noexcept {
    const WindowGeometry& g = geometry_;
    const auto stride = static_cast<ptrdiff_t>(g.stride_w);
    const ptrdiff_t shift = static_cast<ptrdiff_t>(kw * g.dilation_w) - static_cast<ptrdiff_t>(g.pad_left);
    // Input columns [first, last) land inside the output row.
    const ptrdiff_t width = static_cast<ptrdiff_t>(g.width);
    const ptrdiff_t room = static_cast<ptrdiff_t>(g.out_width) - shift;
    const ptrdiff_t first = std::min(shift < 0 ? (-shift + stride - 1) / stride : 0, width);
    const ptrdiff_t last = std::clamp(room > 0 ? (room + stride - 1) / stride : 0, first, width);
    if (first == last) return;
    for (size_t iy = 0; iy < g.height; ++iy) {
      const ptrdiff_t oy =
          static_cast<ptrdiff_t>(iy * g.stride_h + kh * g.dilation_h) - static_cast<ptrdiff_t>(g.pad_top);
      if (oy < 0 || oy >= static_cast<ptrdiff_t>(g.out_height)) continue;
      const float* from = x + iy * g.width;
      float* to = y + static_cast<size_t>(oy) * g.out_width;
      for (ptrdiff_t ix = first; ix < last; ++ix) to[ix * stride + shift] += from[ix];
    }
  }

  const KernelTable& kernels_;
  const WindowGeometry geometry_;
  const Activation activation_;
  Split split_;
  Address x_, bias_, y_;
  bool has_bias_ = false;
};

}  // namespace

std::unique_ptr<Step> MakeConvScatter(const StepSpec& spec, const BuildContext& build) {
  return std::make_unique<ConvScatter>(spec, build);
}

}  // namespace espalier
