// Where the extremes of each line [n] of x [outer, n, inner] are. ints: "outer", "n", "inner", "largest".
// "arg_extreme": int64 [outer, inner], the position of the extreme; of equal ones the first, or with "last"
// the last. "top_k": the k first in order, [outer, k, inner], and their positions, int64; of equal ones the
// first comes first.

#include <algorithm>

#include "runtime/ops/factories.h"
#include "runtime/ops/lines.h"

namespace espalier {
namespace {

class ArgExtreme final : public LineStep {
 public:
  ArgExtreme(const StepSpec& spec, const BuildContext& build)
      : LineStep(spec, build), largest_(spec.Int("largest") != 0), last_(spec.Int("last", 0) != 0) {
    spec.Expect(spec.inputs.size() == 1 && spec.outputs.size() == 1, "one input and one output");
    spec.Expect(n_ > 0, "at least one element in a line");
    spec.Expect(spec.outputs[0].dtype == DType::kInt64 && spec.outputs[0].Elements() == lines_,
                "an int64 output [outer, inner]");
  }

  void Run(const RunContext& context, size_t chunk, uint8_t*) const noexcept override {
    VisitType(dtype_, [&](auto zero) {
      using T = decltype(zero);
      for (size_t line = split_.Begin(chunk); line < split_.End(chunk); ++line) {
        const T* x = context.At<const T>(x_) + Start(line, n_);
        size_t best = 0;
        for (size_t i = 1; i < n_; ++i) {
          const T value = x[i * inner_];
          const T record = x[best * inner_];
          if ((largest_ ? value > record : value < record) || (last_ && value == record)) best = i;
        }
        context.At<int64_t>(y_)[line] = static_cast<int64_t>(best);
      }
    });
  }

 private:
  const bool largest_, last_;
};

class TopK final : public LineStep {
 public:
  TopK(const StepSpec& spec, const BuildContext& build)
      : LineStep(spec, build), k_(spec.Size("k")), largest_(spec.Int("largest") != 0) {
    spec.Expect(spec.inputs.size() == 1 && spec.outputs.size() == 2, "one input and two outputs");
    spec.Expect(k_ <= n_, "no more than there are");
    spec.Expect(spec.outputs[0].dtype == dtype_ && spec.outputs[1].dtype == DType::kInt64,
                "values of the input's type and int64 positions");
    for (const TensorRef& output : spec.outputs) {
      spec.Expect(output.Elements() == MultiplyAll({lines_, k_}), "outputs [outer, k, inner]");
    }
    positions_ = build.resolve(spec.outputs[1]);
    scratch_bytes_ = MultiplySizes(n_, sizeof(int64_t));
  }

  void Run(const RunContext& context, size_t chunk, uint8_t* scratch) const noexcept override {
    VisitType(dtype_, [&](auto zero) {
      using T = decltype(zero);
      auto* order = reinterpret_cast<int64_t*>(scratch);  // [n]
      for (size_t line = split_.Begin(chunk); line < split_.End(chunk); ++line) {
        const T* x = context.At<const T>(x_) + Start(line, n_);
        for (size_t i = 0; i < n_; ++i) order[i] = static_cast<int64_t>(i);
        const auto value = [&](int64_t i) { return x[static_cast<size_t>(i) * inner_]; };
        std::partial_sort(order, order + k_, order + n_, [&](int64_t a, int64_t b) {
          const T first = largest_ ? value(b) : value(a);
          const T second = largest_ ? value(a) : value(b);
          return Before(first, second) || (!Before(second, first) && a < b);
        });
        T* y = context.At<T>(y_) + Start(line, k_);
        int64_t* positions = context.At<int64_t>(positions_) + Start(line, k_);
        for (size_t i = 0; i < k_; ++i) {
          y[i * inner_] = value(order[i]);
          positions[i * inner_] = order[i];
        }
      }
    });
  }

 private:
  const size_t k_;
  const bool largest_;
  Address positions_;
};

}  // namespace

std::unique_ptr<Step> MakeArgExtreme(const StepSpec& spec, const BuildContext& build) {
  return std::make_unique<ArgExtreme>(spec, build);
}

std::unique_ptr<Step> MakeTopK(const StepSpec& spec, const BuildContext& build) {
  return std::make_unique<TopK>(spec, build);
}

}  // namespace espalier
