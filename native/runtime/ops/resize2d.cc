// y [planes, out_height, out_width] interpolated from x [planes, height, width]. The compiler has resolved
// the coordinate modes: output row r mixes input rows rows_lo[r] and rows_hi[r] with weight rows_weight[r]
// for the latter, and columns likewise. Nearest is a weight of 0. ints: "planes", "height", "width",
// "rows_lo", "rows_hi", "columns_lo", "columns_hi"; floats: "rows_weight", "columns_weight".

#include <algorithm>

#include "runtime/ops/factories.h"

namespace espalier {
namespace {

struct Axis {
  std::vector<size_t> lo;
  std::vector<size_t> hi;
  std::vector<float> weight;
  bool nearest = true;
};

Axis ReadAxis(const StepSpec& spec, const std::string& prefix, size_t size) {
  Axis axis;
  axis.lo = spec.Sizes((prefix + "_lo").c_str());
  axis.hi = spec.Sizes((prefix + "_hi").c_str());
  const auto weights = spec.floats.find(prefix + "_weight");
  spec.Expect(weights != spec.floats.end() && axis.lo.size() == axis.hi.size() &&
                  weights->second.size() == axis.lo.size(),
              "two indices and a weight for each of the output's " + prefix);
  for (size_t i = 0; i < axis.lo.size(); ++i) {
    spec.Expect(axis.lo[i] < size && axis.hi[i] < size, prefix + " inside the input");
    axis.weight.push_back(static_cast<float>(weights->second[i]));
    axis.nearest = axis.nearest && axis.weight[i] == 0.0f;
  }
  return axis;
}

class Resize2d final : public Step {
 public:
  Resize2d(const StepSpec& spec, const BuildContext& build)
      : Step(spec.name),
        kernels_(build.kernels),
        height_(spec.Size("height")),
        width_(spec.Size("width")),
        rows_(ReadAxis(spec, "rows", height_)),
        columns_(ReadAxis(spec, "columns", width_)) {
    const size_t planes = spec.Size("planes");
    spec.Expect(spec.inputs.size() == 1 && spec.outputs.size() == 1, "one input and one output");
    spec.ExpectFloat32();
    spec.Expect(spec.inputs[0].Elements() == MultiplyAll({planes, height_, width_}),
                "x [planes, height, width]");
    spec.Expect(spec.outputs[0].Elements() == MultiplyAll({planes, rows_.lo.size(), columns_.lo.size()}),
                "an output [planes, out height, out width]");
    x_ = build.resolve(spec.inputs[0]);
    y_ = build.resolve(spec.outputs[0]);
    split_ = SplitWork(planes, 1, build.threads);
    chunks_ = split_.parts;
    scratch_bytes_ = 2 * width_ * sizeof(float);
  }

  void Run(const RunContext& context, size_t chunk, uint8_t* scratch) const noexcept override {
    const size_t out_width = columns_.lo.size();
    for (size_t plane = split_.Begin(chunk); plane < split_.End(chunk); ++plane) {
      const float* x = context.At<const float>(x_) + plane * height_ * width_;
      float* y = context.At<float>(y_) + plane * rows_.lo.size() * out_width;
      for (size_t r = 0; r < rows_.lo.size(); ++r, y += out_width) {
        if (r > 0 && rows_.lo[r] == rows_.lo[r - 1] && rows_.hi[r] == rows_.hi[r - 1] &&
            rows_.weight[r] == rows_.weight[r - 1]) {
          std::copy_n(y - out_width, out_width, y);  // a row repeated by nearest
          continue;
        }
        const float* row = MixRows(x, r, reinterpret_cast<float*>(scratch));
        MixColumns(row, y);
      }
    }
  }

 private:
  // The input row, or the mix of two rows, that output row r sees: [width].
  const float* MixRows(const float* x, size_t r, float* scratch) const noexcept {
    const float* lo = x + rows_.lo[r] * width_;
    if (rows_.weight[r] == 0.0f) return lo;
    float* mixed = scratch;
    float* part = scratch + width_;
    kernels_.unary(UnaryOp::kAffine, 1.0f - rows_.weight[r], 0.0f, lo, mixed, width_);
    kernels_.unary(UnaryOp::kAffine, rows_.weight[r], 0.0f, x + rows_.hi[r] * width_, part, width_);
    kernels_.binary(BinaryOp::kAdd, mixed, 1, part, 1, mixed, width_);
    return mixed;
  }

  void MixColumns(const float* row, float* y) const noexcept {
    const size_t out_width = columns_.lo.size();
    if (columns_.nearest) {
      for (size_t i = 0; i < out_width; ++i) y[i] = row[columns_.lo[i]];
      return;
    }
    for (size_t i = 0; i < out_width; ++i) {
      const float weight = columns_.weight[i];
      y[i] = row[columns_.lo[i]] * (1.0f - weight) + row[columns_.hi[i]] * weight;
    }
  }

  const KernelTable& kernels_;
  const size_t height_, width_;
  const Axis rows_;
  const Axis columns_;
  Split split_;
  Address x_, y_;
};

}  // namespace

std::unique_ptr<Step> MakeResize2d(const StepSpec& spec, const BuildContext& build) {
  return std::make_unique<Resize2d>(spec, build);
}

}  // namespace espalier
