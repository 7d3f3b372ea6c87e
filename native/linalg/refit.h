#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernel_types.h"
#include "runtime/thread_team.h"

namespace espalier {

struct RefitTask {
  double* gram;          // [cols, cols] symmetric: X^T X; the same again in the end
  double ridge;          // is added to its diagonal, which makes it positive definite
  const double* target;  // [rows, cols]: X^T y of each row
  const uint8_t* kept;   // [rows, cols]: 0 where a weight is removed
  double* weights;       // [rows, cols], written: zero where removed
  size_t rows;
  size_t cols;
};

// For each row with kept columns S: weights_S = (gram_SS + ridge)^-1 target_S, the least squares over what is
// kept (Y. He et al., "Channel pruning for accelerating very deep neural networks", 2017, for columns of all
// rows). Rows that keep the same columns share a factorisation; costs |S|^3 / 6 products for each set. False
// when a gram_SS is not positive definite.
bool Refit(const RefitTask& task, const KernelTable& kernels, ThreadTeam& team);

}  // namespace espalier
