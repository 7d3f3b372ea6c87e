// y[i] = op(x[i]) on float32. ints: "unary_op"; floats: "alpha", "beta".

#include "runtime/ops/activation.h"
#include "runtime/ops/factories.h"

namespace espalier {
namespace {

class Unary final : public Step {
 public:
  Unary(const StepSpec& spec, const BuildContext& build)
      : Step(spec.name),
        kernels_(build.kernels),
        op_(ReadUnaryOp(spec, "unary_op", UnaryOp::kCount)),
        alpha_(static_cast<float>(spec.Float("alpha", 0))),
        beta_(static_cast<float>(spec.Float("beta", 0))) {
    spec.Expect(spec.inputs.size() == 1 && spec.outputs.size() == 1, "one input and one output");
    spec.ExpectFloat32();
    spec.Expect(spec.inputs[0].Elements() == spec.outputs[0].Elements(), "as many elements out as in");
    x_ = build.resolve(spec.inputs[0]);
    y_ = build.resolve(spec.outputs[0]);
    split_ = SplitWork(spec.outputs[0].Elements(), 4096, build.threads);
    chunks_ = split_.parts;
  }

  void Run(const RunContext& context, size_t chunk, uint8_t*) const noexcept override {
    const size_t begin = split_.Begin(chunk);
    kernels_.unary(op_, alpha_, beta_, context.At<const float>(x_) + begin, context.At<float>(y_) + begin,
                   split_.End(chunk) - begin);
  }

 private:
  const KernelTable& kernels_;
  const UnaryOp op_;
  const float alpha_;
  const float beta_;
  Split split_;
  Address x_, y_;
};

}  // namespace

std::unique_ptr<Step> MakeUnary(const StepSpec& spec, const BuildContext& build) {
  return std::make_unique<Unary>(spec, build);
}

}  // namespace espalier
