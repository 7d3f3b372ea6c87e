#pragma once

#include <algorithm>

#include "runtime/ops/element_types.h"
#include "runtime/step.h"

namespace espalier {

// A step on the lines [n] of x [outer, n, inner]: each is worked on by itself. ints: "outer", "n", "inner".
class LineStep : public Step {
 protected:
  LineStep(const StepSpec& spec, const BuildContext& build)
      : Step(spec.name), n_(spec.Size("n")), inner_(spec.Size("inner")) {
    const size_t outer = spec.Size("outer");
    spec.Expect(!spec.inputs.empty() && !spec.outputs.empty(), "an input and an output");
    dtype_ = spec.inputs[0].dtype;
    spec.Expect(IsComputable(dtype_), "a type that is no 16-bit float");
    spec.Expect(spec.inputs[0].Elements() == MultiplyAll({outer, n_, inner_}), "x [outer, n, inner]");
    lines_ = MultiplyAll({outer, inner_});
    x_ = build.resolve(spec.inputs[0]);
    y_ = build.resolve(spec.outputs[0]);
    split_ = SplitWork(lines_, std::max<size_t>(1024 / std::max<size_t>(n_, 1), 1), build.threads);
    chunks_ = split_.parts;
  }

  // Where a line of a tensor [outer, length, inner] begins, in elements.
  size_t Start(size_t line, size_t length) const noexcept {
    return line / inner_ * length * inner_ + line % inner_;
  }

  const size_t n_, inner_;
  DType dtype_ = DType::kFloat32;
  size_t lines_ = 0;
  Split split_;
  Address x_, y_;
};

// Whether a comes before b in ascending order; NaN is last, so that this is an order of all values.
template <typename T>
bool Before(T a, T b) noexcept {
  return a < b || (IsNotANumber(b) && !IsNotANumber(a));
}

}  // namespace espalier
