#pragma once

#include <vector>

#include "runtime/step.h"

namespace espalier {

// A step y[i] [m, n] = a[i] [m, k] * b[i] [k, n] for every i of a batch, each matrix at an offset of its own
// into a or b, so that the batch may be broadcast. inputs: a, b. ints "m", "k", "n", "a_offsets", "b_offsets"
// [batch], in elements.
class BatchedProduct : public Step {
 protected:
  BatchedProduct(const StepSpec& spec, const BuildContext& build)
      : Step(spec.name),
        m_(spec.Size("m")),
        k_(spec.Size("k")),
        n_(spec.Size("n")),
        a_offsets_(spec.Sizes("a_offsets")),
        b_offsets_(spec.Sizes("b_offsets")) {
    spec.Expect(spec.inputs.size() == 2 && spec.outputs.size() == 1, "two inputs and one output");
    spec.Expect(a_offsets_.size() == b_offsets_.size(), "as many offsets of a as of b");
    for (const size_t offset : a_offsets_)
      spec.Expect(AddSizes(offset, MultiplyAll({m_, k_})) <= spec.inputs[0].Elements(), "offsets inside a");
    for (const size_t offset : b_offsets_)
      spec.Expect(AddSizes(offset, MultiplyAll({k_, n_})) <= spec.inputs[1].Elements(), "offsets inside b");
    spec.Expect(spec.outputs[0].Elements() == MultiplyAll({batch(), m_, n_}), "an output [batch, m, n]");
    a_ = build.resolve(spec.inputs[0]);
    b_ = build.resolve(spec.inputs[1]);
    y_ = build.resolve(spec.outputs[0]);
  }

  size_t batch() const { return a_offsets_.size(); }

  const size_t m_, k_, n_;
  const std::vector<size_t> a_offsets_, b_offsets_;
  Address a_, b_, y_;
};

}  // namespace espalier
