// y[i] = op(x[i]). ints: "unary_op" (a UnaryOp or PlainUnaryOp); floats: "alpha", "beta". float32 has kernels
// for those of UnaryOp, everything else is computed one by one.

#include "runtime/ops/activation.h"
#include "runtime/ops/factories.h"
#include "runtime/ops/scalar_math.h"

namespace espalier {
namespace {

class Unary final : public Step {
 public:
  Unary(const StepSpec& spec, const BuildContext& build)
      : Step(spec.name),
        kernels_(build.kernels),
        alpha_(spec.Float("alpha", 0)),
        beta_(spec.Float("beta", 0)) {
    const int64_t op = spec.Int("unary_op");
    spec.Expect(op >= 0 && op < static_cast<int64_t>(PlainUnaryOp::kCount), "a unary operator in unary_op");
    op_ = static_cast<int32_t>(op);
    spec.Expect(spec.inputs.size() == 1 && spec.outputs.size() == 1, "one input and one output");
    dtype_ = spec.inputs[0].dtype;
    spec.Expect(spec.outputs[0].dtype == dtype_, "input and output of one type");
    const bool is_float = dtype_ == DType::kFloat32 || dtype_ == DType::kFloat64;
    spec.Expect(is_float ? op_ != static_cast<int32_t>(PlainUnaryOp::kBitNot)
                         : IsComputable(dtype_) && HasIntegerForm(op_),
                "an operator that this type has");
    spec.Expect(spec.inputs[0].Elements() == spec.outputs[0].Elements(), "as many elements out as in");
    x_ = build.resolve(spec.inputs[0]);
    y_ = build.resolve(spec.outputs[0]);
    split_ = SplitWork(spec.outputs[0].Elements(), 4096, build.threads);
    chunks_ = split_.parts;
  }

  void Run(const RunContext& context, size_t chunk, uint8_t*) const noexcept override {
    const size_t begin = split_.Begin(chunk);
    const size_t n = split_.End(chunk) - begin;
    if (dtype_ == DType::kFloat32 && op_ < static_cast<int32_t>(UnaryOp::kCount)) {
      kernels_.unary(static_cast<UnaryOp>(op_), static_cast<float>(alpha_), static_cast<float>(beta_),
                     context.At<const float>(x_) + begin, context.At<float>(y_) + begin, n);
      return;
    }
    VisitType(dtype_, [&](auto zero) {
      using T = decltype(zero);
      const T* x = context.At<const T>(x_) + begin;
      T* y = context.At<T>(y_) + begin;
      for (size_t i = 0; i < n; ++i) y[i] = Evaluate(x[i]);
    });
  }

 private:
  template <typename T>
  T Evaluate(T x) const noexcept {
    if constexpr (!std::is_floating_point_v<T>) {
      return EvaluateInteger(op_, x);
    } else {
      if (op_ >= static_cast<int32_t>(UnaryOp::kCount)) {
        return EvaluatePlain(static_cast<PlainUnaryOp>(op_), x);
      }
      return EvaluateUnary(static_cast<UnaryOp>(op_), x, static_cast<T>(alpha_), static_cast<T>(beta_));
    }
  }

  const KernelTable& kernels_;
  const double alpha_, beta_;
  int32_t op_ = 0;
  DType dtype_ = DType::kFloat32;
  Split split_;
  Address x_, y_;
};

}  // namespace

std::unique_ptr<Step> MakeUnary(const StepSpec& spec, const BuildContext& build) {
  return std::make_unique<Unary>(spec, build);
}

}  // namespace espalier
