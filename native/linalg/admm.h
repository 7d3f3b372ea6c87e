#pragma once

#include <cstddef>
#include <cstdint>

#include "linalg/solver.h"
#include "linalg/units.h"

namespace espalier {

struct AdmmTask {
  const double* weights;  // [rows, cols]: the weights that are to be approximated
  double* gram;           // [cols, cols] symmetric: X^T X; the same again in the end
  double damping;         // is added to its diagonal, which makes it positive definite
  UnitGrid grid;
  size_t removals;   // units to remove; not read for N:M
  uint8_t* removed;  // [unit_rows, unit_cols], becomes 1 where a unit is removed
};

// Which weights to keep so that |X (V - W)^T|^2 is small: V. Boza, "Fast and Effective Weight Update for
// Pruned Large Language Models", 2024 (arXiv 2401.02938). Alternates between the V that is best for a pull
// towards a masked copy, and the mask that is best for V, with inputs scaled to norm 1 and a penalty of 1;
// the sparsity grows by Zhu and Gupta's cubic over the first iterations. One factor of an inverse serves all
// of them. Unlike SparseGPT it comes back on choices. False when `gram` is not positive definite.
bool AdmmMask(const AdmmTask& task, Solver& solver);

}  // namespace espalier
