// Running sums over n of x [outer, n, inner], integers wrapping around. ints: "outer", "n", "inner";
// "exclusive": a sum leaves out its own element; "reverse": sums begin at the end.

#include "runtime/ops/arithmetic.h"
#include "runtime/ops/factories.h"
#include "runtime/ops/lines.h"

namespace espalier {
namespace {

class Scan final : public LineStep {
 public:
  Scan(const StepSpec& spec, const BuildContext& build)
      : LineStep(spec, build),
        exclusive_(spec.Int("exclusive", 0) != 0),
        reverse_(spec.Int("reverse", 0) != 0) {
    spec.Expect(spec.inputs.size() == 1 && spec.outputs.size() == 1, "one input and one output");
    spec.Expect(spec.outputs[0].dtype == dtype_, "input and output of one type");
    spec.Expect(spec.outputs[0].Elements() == spec.inputs[0].Elements(), "as many elements out as in");
  }

  void Run(const RunContext& context, size_t chunk, uint8_t*) const noexcept override {
    VisitType(dtype_, [&](auto zero) {
      using T = decltype(zero);
      for (size_t line = split_.Begin(chunk); line < split_.End(chunk); ++line) {
        const T* x = context.At<const T>(x_) + Start(line, n_);
        T* y = context.At<T>(y_) + Start(line, n_);
        T sum{0};
        for (size_t i = 0; i < n_; ++i) {
          const size_t at = (reverse_ ? n_ - 1 - i : i) * inner_;
          const T next = Apply(BinaryOp::kAdd, sum, x[at]);
          y[at] = exclusive_ ? sum : next;
          sum = next;
        }
      }
    });
  }

 private:
  const bool exclusive_, reverse_;
};

}  // namespace

std::unique_ptr<Step> MakeScan(const StepSpec& spec, const BuildContext& build) {
  return std::make_unique<Scan>(spec, build);
}

}  // namespace espalier
