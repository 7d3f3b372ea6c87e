// y [rois, c, out_h, out_w]: regions of x [n, c, h, w], each cut into bins whose samples are averaged or,
// with "max", of which the largest is taken (He et al. 2017, arXiv 1703.06870). inputs: x, rois [rois, 4]
// (x1, y1, x2, y2), the image of each roi [rois] (int64). ints: "n", "c", "h", "w", "out_h", "out_w", "max",
// "sampling_ratio" (samples along a bin; 0: as many as it has pixels), "half_pixel"; floats: "spatial_scale".

#include <algorithm>
#include <cmath>

#include "runtime/ops/factories.h"

namespace espalier {
namespace {

// More samples along a bin than this mean a region that is no region of the image.
constexpr float kMostSamples = 65536;

class RoiAlign final : public Step {
 public:
  RoiAlign(const StepSpec& spec, const BuildContext& build)
      : Step(spec.name),
        n_(spec.Size("n")),
        channels_(spec.Size("c")),
        height_(spec.Size("h")),
        width_(spec.Size("w")),
        out_h_(spec.Size("out_h")),
        out_w_(spec.Size("out_w")),
        samples_(spec.Size("sampling_ratio")),
        max_(spec.Int("max", 0) != 0),
        shift_(spec.Int("half_pixel", 0) != 0 ? 0.5f : 0.0f),
        scale_(static_cast<float>(spec.Float("spatial_scale", 1))) {
    spec.Expect(spec.inputs.size() == 3 && spec.outputs.size() == 1, "x, rois, images and one output");
    spec.Expect(spec.inputs[0].dtype == DType::kFloat32 && spec.inputs[1].dtype == DType::kFloat32 &&
                    spec.outputs[0].dtype == DType::kFloat32 && spec.inputs[2].dtype == DType::kInt64,
                "float32, and int64 images");
    const size_t rois = spec.inputs[2].Elements();
    spec.Expect(spec.inputs[0].Elements() == MultiplyAll({n_, channels_, height_, width_}), "x [n, c, h, w]");
    spec.Expect(spec.inputs[1].Elements() == MultiplyAll({rois, 4}), "rois [rois, 4]");
    spec.Expect(spec.outputs[0].Elements() == MultiplyAll({rois, channels_, out_h_, out_w_}),
                "y [rois, c, out_h, out_w]");
    spec.Expect(height_ > 0 && width_ > 0, "an image of at least one pixel");
    x_ = build.resolve(spec.inputs[0]);
    rois_ = build.resolve(spec.inputs[1]);
    images_ = build.resolve(spec.inputs[2]);
    y_ = build.resolve(spec.outputs[0]);
    split_ = SplitWork(rois, 1, build.threads);
    chunks_ = split_.parts;
  }

  void Run(const RunContext& context, size_t chunk, uint8_t*) const noexcept override {
    for (size_t roi = split_.Begin(chunk); roi < split_.End(chunk); ++roi) {
      const int64_t image = context.At<const int64_t>(images_)[roi];
      if (image < 0 || image >= static_cast<int64_t>(n_)) {
        return Fail(context, "expected the image of a region to be one of the batch");
      }
      const float* corners = context.At<const float>(rois_) + roi * 4;
      const Span x = SpanOf(corners[0], corners[2], out_w_);
      const Span y = SpanOf(corners[1], corners[3], out_h_);
      if (!(x.samples >= 0 && x.samples <= kMostSamples && y.samples >= 0 && y.samples <= kMostSamples)) {
        return Fail(context, "expected regions of the size of an image");
      }
      for (size_t c = 0; c < channels_; ++c) {
        const float* plane =
            context.At<const float>(x_) + (static_cast<size_t>(image) * channels_ + c) * height_ * width_;
        float* out = context.At<float>(y_) + (roi * channels_ + c) * out_h_ * out_w_;
        for (size_t h = 0; h < out_h_; ++h) {
          for (size_t w = 0; w < out_w_; ++w) *out++ = Bin(plane, y, h, x, w);
        }
      }
    }
  }

 private:
  struct Span {
    float start;
    float bin;      // pixels
    float samples;  // in a bin
  };

  Span SpanOf(float from, float to, size_t bins) const noexcept {
    const float start = from * scale_ - shift_;
    float length = to * scale_ - shift_ - start;
    if (shift_ == 0.0f) length = std::max(length, 1.0f);  // the old form knows no region below a pixel
    const float bin = length / static_cast<float>(bins);
    return Span{start, bin, samples_ > 0 ? static_cast<float>(samples_) : std::ceil(bin)};
  }

  float Bin(const float* plane, const Span& y, size_t h, const Span& x, size_t w) const noexcept {
    float sum = 0.0f;
    float largest = 0.0f;
    bool first = true;
    for (size_t i = 0; static_cast<float>(i) < y.samples; ++i) {
      const float at_y =
          y.start + (static_cast<float>(h) + (static_cast<float>(i) + 0.5f) / y.samples) * y.bin;
      for (size_t j = 0; static_cast<float>(j) < x.samples; ++j) {
        const float at_x =
            x.start + (static_cast<float>(w) + (static_cast<float>(j) + 0.5f) / x.samples) * x.bin;
        float parts[4];
        Sample(plane, at_y, at_x, parts);
        // onnxruntime and the specification's own tests take the largest weighted corner, not the largest
        // sample.
        const float corner = std::max(std::max(parts[0], parts[1]), std::max(parts[2], parts[3]));
        largest = first ? corner : std::max(largest, corner);
        sum += parts[0] + parts[1] + parts[2] + parts[3];
        first = false;
      }
    }
    return max_ ? largest : sum / std::max(y.samples * x.samples, 1.0f);
  }

  // The four weighted pixels whose sum is the bilinear sample; zeros outside the image.
  void Sample(const float* plane, float y, float x, float* parts) const noexcept {
    const auto bottom = static_cast<float>(height_);
    const auto right = static_cast<float>(width_);
    if (!(y >= -1.0f && y <= bottom && x >= -1.0f && x <= right)) {
      std::fill_n(parts, 4, 0.0f);
      return;
    }
    y = std::clamp(y, 0.0f, bottom - 1);
    x = std::clamp(x, 0.0f, right - 1);
    const auto y0 = static_cast<size_t>(y);
    const auto x0 = static_cast<size_t>(x);
    const size_t y1 = std::min(y0 + 1, height_ - 1);
    const size_t x1 = std::min(x0 + 1, width_ - 1);
    const float dy = y - static_cast<float>(y0);
    const float dx = x - static_cast<float>(x0);
    parts[0] = (1 - dy) * (1 - dx) * plane[y0 * width_ + x0];
    parts[1] = (1 - dy) * dx * plane[y0 * width_ + x1];
    parts[2] = dy * (1 - dx) * plane[y1 * width_ + x0];
    parts[3] = dy * dx * plane[y1 * width_ + x1];
  }

  const size_t n_, channels_, height_, width_, out_h_, out_w_, samples_;
  const bool max_;
  const float shift_, scale_;
  Split split_;
  Address x_, rois_, images_, y_;
};

}  // namespace

std::unique_ptr<Step> MakeRoiAlign(const StepSpec& spec, const BuildContext& build) {
  return std::make_unique<RoiAlign>(spec, build);
}

}  // namespace espalier
