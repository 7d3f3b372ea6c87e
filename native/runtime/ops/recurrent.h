#pragma once

#include <vector>

#include "runtime/ops/product.h"
#include "runtime/step.h"

namespace espalier {

enum class RecurrentKind : size_t { kLstm = 0, kGru, kRnn };

// What a recurrent step is, read from its spec; recurrent.cc says under which names.
struct RecurrentShape {
  RecurrentKind kind = RecurrentKind::kLstm;
  size_t steps = 0;
  size_t batch = 0;
  size_t hidden = 0;
  size_t directions = 0;
  bool batch_first = false;

  size_t gates() const { return kind == RecurrentKind::kLstm ? 4 : kind == RecurrentKind::kGru ? 3 : 1; }
  size_t rows() const { return gates() * hidden; }
  // Where things lie, in floats: Y is [steps, directions, batch, hidden] or [batch, steps, directions,
  // hidden], states [directions, batch, hidden] or [batch, directions, hidden], X W^T as X is.
  size_t Y(size_t step, size_t direction, size_t b) const {
    return batch_first ? ((b * steps + step) * directions + direction) * hidden
                       : ((step * directions + direction) * batch + b) * hidden;
  }
  size_t State(size_t direction, size_t b) const {
    return (batch_first ? b * directions + direction : direction * batch + b) * hidden;
  }
  size_t Projected(size_t step, size_t b) const {
    return (batch_first ? b * steps + step : step * batch + b) * rows();
  }
};

// The arithmetic of one cell on rows of `hidden` values, by the row kernels.
class RecurrentCell {
 public:
  RecurrentCell(const StepSpec& spec, const KernelTable& kernels, const RecurrentShape& shape);

  // gates [i, o, f, c] become garbage; peepholes [i, o, f] or null; scratch [hidden].
  void Lstm(size_t direction, float* gates, const float* peepholes, float* c, float* h,
            float* scratch) const noexcept;
  // gates [z, r] become what they let through.
  void GruGates(size_t direction, float* gates) const noexcept;
  // candidate: the third gate's sum; h becomes (1 - z) candidate + z h.
  void GruState(size_t direction, const float* z, float* candidate, float* h) const noexcept;
  void Rnn(size_t direction, float* gate, float* h) const noexcept;

  void Add(const float* x, float* y, size_t n) const noexcept;       // y += x
  void Multiply(const float* x, float* y, size_t n) const noexcept;  // y *= x

 private:
  struct Function {
    UnaryOp op;
    float alpha;
    float beta;
  };
  // Clips, then applies function `which` of the direction, in place.
  void Activate(size_t direction, size_t which, float* x, size_t n) const noexcept;

  const KernelTable& kernels_;
  size_t hidden_;
  size_t each_;  // functions of a direction
  std::vector<Function> functions_;
  float clip_;
  bool input_forget_;
};

}  // namespace espalier
