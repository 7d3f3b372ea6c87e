// y [n, c, points] = x [n, c, spatial...] at the places grid [n, points, d] of run time, d = 2 or 3, each
// coordinate in
// [-1, 1] across its axis, the last axis first (https://onnx.ai/onnx/operators/onnx__GridSample.html).
// ints: "n", "c", "spatial" [d], "points"; "mode": 0 nearest, 1 linear, 2 cubic; "padding": 0 zeros, 1
// border, 2 reflection; "align_corners".

#include <algorithm>
#include <cmath>

#include "runtime/ops/factories.h"

namespace espalier {
namespace {

constexpr size_t kMostAxes = 3;
constexpr size_t kMostTaps = 4;  // along an axis

// What one coordinate reads of its axis: positions, -1 for those that count as zero, and their weights.
struct Taps {
  int64_t positions[kMostTaps];
  float weights[kMostTaps];
};

enum Mode : int64_t { kNearest, kLinear, kCubic };
enum Padding : int64_t { kZeros, kBorder, kReflection };

float Reflect(float x, float low, float high) noexcept {
  const float range = high - low;
  if (range <= 0) return low;
  const float distance = std::fabs(x - low);
  const float rest = std::fmod(distance, range);
  return std::fmod(std::floor(distance / range), 2.0f) == 0.0f ? low + rest : high - rest;
}

// Keys' kernel with a = -0.75 for the four neighbours of a point that lies t behind the second (Keys 1981).
void CubicWeights(float t, float* weights) noexcept {
  constexpr float a = -0.75f;
  const auto near = [](float d) { return ((a + 2) * d - (a + 3)) * d * d + 1; };
  const auto far = [](float d) { return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a; };
  weights[0] = far(t + 1);
  weights[1] = near(t);
  weights[2] = near(1 - t);
  weights[3] = far(2 - t);
}

class GridSample final : public Step {
 public:
  GridSample(const StepSpec& spec, const BuildContext& build)
      : Step(spec.name),
        channels_(spec.Size("c")),
        spatial_(spec.Sizes("spatial")),
        points_(spec.Size("points")),
        mode_(spec.Int("mode")),
        padding_(spec.Int("padding")),
        align_corners_(spec.Int("align_corners", 0) != 0) {
    const size_t n = spec.Size("n");
    spec.Expect(spec.inputs.size() == 2 && spec.outputs.size() == 1, "x, grid and one output");
    spec.ExpectFloat32();
    spec.Expect(spatial_.size() == 2 || spatial_.size() == 3, "2 or 3 spatial axes");
    spec.Expect(mode_ >= kNearest && mode_ <= kCubic && padding_ >= kZeros && padding_ <= kReflection,
                "a mode and a padding");
    for (size_t size : spatial_) {
      spec.Expect(size > 0, "no empty axis");
      plane_ = MultiplySizes(plane_, size);
    }
    spec.Expect(spec.inputs[0].Elements() == MultiplyAll({n, channels_, plane_}), "x [n, c, spatial]");
    spec.Expect(spec.inputs[1].Elements() == MultiplyAll({n, points_, spatial_.size()}),
                "grid [n, points, d]");
    spec.Expect(spec.outputs[0].Elements() == MultiplyAll({n, channels_, points_}), "y [n, c, points]");
    taps_ = mode_ == kNearest ? 1 : mode_ == kLinear ? 2 : 4;
    x_ = build.resolve(spec.inputs[0]);
    grid_ = build.resolve(spec.inputs[1]);
    y_ = build.resolve(spec.outputs[0]);
    split_ = SplitWork(n * points_, 256, build.threads);
    chunks_ = split_.parts;
  }

  void Run(const RunContext& context, size_t chunk, uint8_t*) const noexcept override {
    for (size_t point = split_.Begin(chunk); point < split_.End(chunk); ++point) {
      const float* place = context.At<const float>(grid_) + point * spatial_.size();
      Taps taps[kMostAxes];
      for (size_t d = 0; d < spatial_.size(); ++d) {
        taps[d] = TapsOf(place[spatial_.size() - 1 - d], static_cast<int64_t>(spatial_[d]));
      }
      const size_t first = point / points_ * channels_;  // of this image
      for (size_t c = first; c < first + channels_; ++c) {
        context.At<float>(y_)[c * points_ + point % points_] =
            Sum(context.At<const float>(x_) + c * plane_, taps, 0, 0);
      }
    }
  }

 private:
  // The product of the axes' taps over axes [axis, d), on the part of the plane that begins at `offset`.
  float Sum(const float* x, const Taps* taps, size_t axis, size_t offset) const noexcept {
    if (axis == kMostAxes || axis == spatial_.size()) return x[offset];
    float sum = 0.0f;
    for (size_t i = 0; i < taps_; ++i) {
      const int64_t position = taps[axis].positions[i];
      if (position < 0) continue;
      const size_t row = offset * spatial_[axis] + static_cast<size_t>(position);
      sum += taps[axis].weights[i] * Sum(x, taps, axis + 1, row);
    }
    return sum;
  }

  Taps TapsOf(float coordinate, int64_t size) const noexcept {
    const auto extent = static_cast<float>(size);
    const float low = align_corners_ ? 0.0f : -0.5f;
    const float high = align_corners_ ? extent - 1 : extent - 0.5f;
    float x = align_corners_ ? (coordinate + 1) / 2 * (extent - 1) : ((coordinate + 1) * extent - 1) / 2;
    // What no integer can hold is far outside, whichever way; NaN is taken for outside too.
    x = std::isnan(x) ? -1e9f : std::clamp(x, -1e9f, 1e9f);
    if (mode_ == kNearest) x = std::nearbyint(x);
    // A cubic leaves the coordinate where it is: its taps are brought back one by one.
    if (mode_ != kCubic && (x < low || x > high)) {
      if (padding_ == kBorder) x = std::clamp(x, 0.0f, extent - 1);
      if (padding_ == kReflection) x = Reflect(x, low, high);
    }
    Taps taps{};
    const float floor = std::floor(mode_ == kNearest ? x + 0.5f : x);
    const float t = x - floor;
    if (mode_ == kNearest) taps.weights[0] = 1.0f;
    if (mode_ == kLinear) {
      taps.weights[0] = 1.0f - t;
      taps.weights[1] = t;
    }
    if (mode_ == kCubic) CubicWeights(t, taps.weights);
    const int64_t first = static_cast<int64_t>(floor) - (mode_ == kCubic ? 1 : 0);
    for (size_t i = 0; i < taps_; ++i)
      taps.positions[i] = Inside(first + static_cast<int64_t>(i), size, low, high);
    return taps;
  }

  int64_t Inside(int64_t position, int64_t size, float low, float high) const noexcept {
    if (position >= 0 && position < size) return position;
    if (padding_ == kZeros) return -1;
    if (padding_ == kReflection)
      position = static_cast<int64_t>(Reflect(static_cast<float>(position), low, high));
    return std::clamp<int64_t>(position, 0, size - 1);
  }

  const size_t channels_;
  const std::vector<size_t> spatial_;
  const size_t points_;
  const int64_t mode_, padding_;
  const bool align_corners_;
  size_t plane_ = 1;
  size_t taps_ = 1;
  Split split_;
  Address x_, grid_, y_;
};

}  // namespace

std::unique_ptr<Step> MakeGridSample(const StepSpec& spec, const BuildContext& build) {
  return std::make_unique<GridSample>(spec, build);
}

}  // namespace espalier
