// Softmax over n of x [outer, n, inner] (ints "outer", "n", "inner"), and layer normalisation over n of x
// [outer, n] (ints "outer", "n", "has_scale", "has_bias"; floats "epsilon"; inputs x, scale [n], bias [n]).
// With int "root_mean_square" the mean is not taken off (Zhang & Sennrich 2019), and there is no bias.

#include <algorithm>
#include <cmath>

#include "runtime/ops/factories.h"

namespace espalier {
namespace {

class Softmax final : public Step {
 public:
  Softmax(const StepSpec& spec, const BuildContext& build)
      : Step(spec.name), kernels_(build.kernels), n_(spec.Size("n")), inner_(spec.Size("inner")) {
    const size_t outer = spec.Size("outer");
    spec.Expect(spec.inputs.size() == 1 && spec.outputs.size() == 1, "one input and one output");
    spec.ExpectFloat32();
    spec.Expect(spec.inputs[0].Elements() == MultiplyAll({outer, n_, inner_}), "x [outer, n, inner]");
    spec.Expect(spec.outputs[0].Elements() == MultiplyAll({outer, n_, inner_}),
                "an output [outer, n, inner]");
    x_ = build.resolve(spec.inputs[0]);
    y_ = build.resolve(spec.outputs[0]);
    split_ = SplitWork(outer * inner_, std::max<size_t>(1024 / std::max<size_t>(n_, 1), 1), build.threads);
    chunks_ = split_.parts;
    if (inner_ != 1) scratch_bytes_ = n_ * sizeof(float);
  }

  void Run(const RunContext& context, size_t chunk, uint8_t* scratch) const noexcept override {
    for (size_t line = split_.Begin(chunk); line < split_.End(chunk); ++line) {
      const size_t start = line / inner_ * n_ * inner_ + line % inner_;
      const float* x = context.At<const float>(x_) + start;
      float* y = context.At<float>(y_) + start;
      if (inner_ == 1) {
        kernels_.softmax(x, y, n_);
        continue;
      }
      float* values = reinterpret_cast<float*>(scratch);  // [n]
      for (size_t i = 0; i < n_; ++i) values[i] = x[i * inner_];
      kernels_.softmax(values, values, n_);
      for (size_t i = 0; i < n_; ++i) y[i * inner_] = values[i];
    }
  }

 private:
  const KernelTable& kernels_;
  const size_t n_, inner_;
  Split split_;
  Address x_, y_;
};

class LayerNorm final : public Step {
 public:
  LayerNorm(const StepSpec& spec, const BuildContext& build)
      : Step(spec.name),
        kernels_(build.kernels),
        n_(spec.Size("n")),
        epsilon_(static_cast<float>(spec.Float("epsilon", 1e-5))),
        has_scale_(spec.Int("has_scale", 0) != 0),
        has_bias_(spec.Int("has_bias", 0) != 0),
        root_mean_square_(spec.Int("root_mean_square", 0) != 0) {
    const size_t outer = spec.Size("outer");
    spec.Expect(!(root_mean_square_ && has_bias_), "no bias of a root mean square");
    spec.Expect(spec.inputs.size() == 1u + has_scale_ + has_bias_ && spec.outputs.size() == 1,
                "x, scale and bias");
    spec.ExpectFloat32();
    for (size_t i = 1; i < spec.inputs.size(); ++i)
      spec.Expect(spec.inputs[i].Elements() == n_, "scale and bias [n]");
    const size_t elements = MultiplyAll({outer, n_});
    spec.Expect(spec.inputs[0].Elements() == elements && spec.outputs[0].Elements() == elements,
                "x and y [outer, n]");
    x_ = build.resolve(spec.inputs[0]);
    if (has_scale_) scale_ = build.resolve(spec.inputs[1]);
    if (has_bias_) bias_ = build.resolve(spec.inputs.back());
    y_ = build.resolve(spec.outputs[0]);
    split_ = SplitWork(outer, std::max<size_t>(2048 / std::max<size_t>(n_, 1), 1), build.threads);
    chunks_ = split_.parts;
  }

  void Run(const RunContext& context, size_t chunk, uint8_t*) const noexcept override {
    const float* scale = has_scale_ ? context.At<const float>(scale_) : nullptr;
    const float* bias = has_bias_ ? context.At<const float>(bias_) : nullptr;
    for (size_t row = split_.Begin(chunk); row < split_.End(chunk); ++row) {
      const float* x = context.At<const float>(x_) + row * n_;
      float* y = context.At<float>(y_) + row * n_;
      if (root_mean_square_) {
        RootMeanSquare(x, scale, y);
      } else {
        kernels_.layer_norm(x, scale, bias, epsilon_, y, n_);
      }
    }
  }

 private:
  void RootMeanSquare(const float* x, const float* scale, float* y) const noexcept {
    const float mean = kernels_.reduce(ReduceOp::kSumSquare, x, n_) / static_cast<float>(n_);
    kernels_.unary(UnaryOp::kAffine, 1.0f / std::sqrt(mean + epsilon_), 0.0f, x, y, n_);
    if (scale != nullptr) kernels_.binary(BinaryOp::kMul, y, 1, scale, 1, y, n_);
  }

  const KernelTable& kernels_;
  const size_t n_;
  const float epsilon_;
  const bool has_scale_, has_bias_, root_mean_square_;
  Split split_;
  Address x_, scale_, bias_, y_;
};

}  // namespace

std::unique_ptr<Step> MakeSoftmax(const StepSpec& spec, const BuildContext& build) {
  return std::make_unique<Softmax>(spec, build);
}

std::unique_ptr<Step> MakeLayerNorm(const StepSpec& spec, const BuildContext& build) {
  return std::make_unique<LayerNorm>(spec, build);
}

}  // namespace espalier
