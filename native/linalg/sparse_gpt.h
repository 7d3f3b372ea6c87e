#pragma once

#include <cstddef>
#include <cstdint>

#include "linalg/solver.h"

namespace espalier {

// The shape of what is removed: blocks of rows x cols weights, or all but `kept` of every `of` columns of a
// row.
struct UnitShape {
  size_t rows = 1;
  size_t cols = 1;
  size_t kept = 0;
  size_t of = 0;  // 0: not N:M
};

struct SparseGptTask {
  double* weights;  // [rows, cols], pruned and updated in place
  size_t rows;
  size_t cols;
  const double* factor;  // [cols, cols] upper triangular U, U^T U = H^-1: see Solver::InverseFactor
  UnitShape unit;
  size_t removals;   // units to remove; not read for N:M
  uint8_t* removed;  // [ceil(rows / unit.rows), ceil(cols / unit.cols)], becomes 1 where a unit is removed
};

// E. Frantar, D. Alistarh, "SparseGPT: Massive Language Models Can Be Accurately Pruned in One-Shot", 2023
// (arXiv 2301.00774), Algorithm 1: columns from first to last; what a removed weight did is taken over by the
// columns after it. Masks are chosen for 128 columns at a time over all rows, by w^2 / U_jj^2 summed over a
// unit, with as many units from every such block as its share, so that their sum is exactly `removals`.
void SparseGpt(const SparseGptTask& task, Solver& solver);

}  // namespace espalier
