// y [outer, inner] = fold over n of x [outer, n, inner], of any type but float32 (reduce.cc) and 16-bit
// floats: integers wrap around. ints: "outer", "n", "inner", "op" (ReduceOp).

#include <algorithm>
#include <limits>

#include "runtime/ops/arithmetic.h"
#include "runtime/ops/factories.h"

namespace espalier {
namespace {

template <typename T>
T Identity(ReduceOp op) noexcept {
  using Limits = std::numeric_limits<T>;
  if (op == ReduceOp::kMax) return Limits::has_infinity ? -Limits::infinity() : Limits::lowest();
  if (op == ReduceOp::kMin) return Limits::has_infinity ? Limits::infinity() : Limits::max();
  return op == ReduceOp::kProd ? T{1} : T{0};
}

template <typename T>
T Add(ReduceOp op, T sum, T x) noexcept {
  switch (op) {
    case ReduceOp::kMax:
      return Apply(BinaryOp::kMax, x, sum);
    case ReduceOp::kMin:
      return Apply(BinaryOp::kMin, x, sum);
    case ReduceOp::kProd:
      return Apply(BinaryOp::kMul, sum, x);
    case ReduceOp::kSumSquare:
      return Apply(BinaryOp::kAdd, sum, Apply(BinaryOp::kMul, x, x));
    case ReduceOp::kSumAbs:
      return Apply(x < T{0} ? BinaryOp::kSub : BinaryOp::kAdd, sum, x);
    default:
      return Apply(BinaryOp::kAdd, sum, x);
  }
}

class Fold final : public Step {
 public:
  Fold(const StepSpec& spec, const BuildContext& build)
      : Step(spec.name),
        op_(static_cast<ReduceOp>(spec.Int("op"))),
        outer_(spec.Size("outer")),
        n_(spec.Size("n")),
        inner_(spec.Size("inner")) {
    spec.Expect(spec.inputs.size() == 1 && spec.outputs.size() == 1, "one input and one output");
    spec.Expect(op_ >= ReduceOp::kSum && op_ < ReduceOp::kCount, "a reduction");
    dtype_ = spec.inputs[0].dtype;
    spec.Expect(IsComputable(dtype_) && spec.outputs[0].dtype == dtype_, "one type that is no 16-bit float");
    spec.Expect(spec.inputs[0].Elements() == MultiplyAll({outer_, n_, inner_}), "x [outer, n, inner]");
    spec.Expect(spec.outputs[0].Elements() == MultiplyAll({outer_, inner_}), "an output [outer, inner]");
    x_ = build.resolve(spec.inputs[0]);
    y_ = build.resolve(spec.outputs[0]);
    split_ = SplitWork(outer_, std::max<size_t>(4096 / std::max<size_t>(n_ * inner_, 1), 1), build.threads);
    chunks_ = split_.parts;
  }

  void Run(const RunContext& context, size_t chunk, uint8_t*) const noexcept override {
    VisitType(dtype_, [&](auto zero) {
      using T = decltype(zero);
      for (size_t o = split_.Begin(chunk); o < split_.End(chunk); ++o) {
        const T* x = context.At<const T>(x_) + o * n_ * inner_;
        T* y = context.At<T>(y_) + o * inner_;
        std::fill_n(y, inner_, Identity<T>(op_));
        for (size_t i = 0; i < n_; ++i, x += inner_) {
          for (size_t j = 0; j < inner_; ++j) y[j] = Add(op_, y[j], x[j]);
        }
      }
    });
  }

 private:
  const ReduceOp op_;
  const size_t outer_, n_, inner_;
  DType dtype_ = DType::kFloat64;
  Split split_;
  Address x_, y_;
};

}  // namespace

std::unique_ptr<Step> MakeFold(const StepSpec& spec, const BuildContext& build) {
  return std::make_unique<Fold>(spec, build);
}

}  // namespace espalier
