#pragma once

#include <cstddef>
#include <cstdint>

#include "linalg/solver.h"
#include "linalg/units.h"

namespace espalier {

struct SparseGptTask {
  double* weights;  // [rows, cols], pruned and updated in place
  UnitGrid grid;
  const double* factor;  // [cols, cols], lower triangle: L L^T = H^-1, see Solver::FactorInverse
  size_t removals;       // units to remove; not read for N:M
  uint8_t* removed;      // [unit_rows, unit_cols], becomes 1 where a unit is removed
};

// E. Frantar, D. Alistarh, "SparseGPT: Massive Language Models Can Be Accurately Pruned in One-Shot", 2023
// (arXiv 2301.00774), Algorithm 1: columns from first to last; what a removed weight did is taken over by the
// columns after it. Masks are chosen for 128 columns at a time over all rows, by w^2 / L_jj^2 summed over a
// unit, with as many units from every such block as its share, so that their sum is exactly `removals`.
void SparseGpt(const SparseGptTask& task, Solver& solver);

}  // namespace espalier
