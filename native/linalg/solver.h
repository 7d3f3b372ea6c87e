#pragma once

#include <cstddef>
#include <vector>

#include "core/aligned_buffer.h"
#include "kernels/kernel_types.h"
#include "runtime/thread_team.h"

namespace espalier {

// Element (r, c) is data[r * row_stride + c * col_stride].
template <typename T>
struct View {
  const T* data;
  size_t row_stride;
  size_t col_stride;
  View Transposed() const { return {data, col_stride, row_stride}; }
};

struct ProductShape {
  size_t rows;
  size_t depth;
  size_t cols;
  bool lower;  // only elements on and below the diagonal are wanted; some above it are written too
};

// Blocked dense linear algebra in float64. What it computes does not depend on the number of threads nor on
// the instruction set. It allocates when it is made, and nothing later.
class Solver {
 public:
  // For matrices of at most `size` columns. `team` may be null.
  Solver(const KernelTable& kernels, ThreadTeam* team, size_t size);

  // out[rows, cols] += alpha * a[rows, depth] * b[depth, cols]; `out` is row-major and overlaps neither.
  template <typename T>
  void MultiplyAdd(const ProductShape& shape, double alpha, View<T> a, View<T> b, double* out,
                   size_t out_stride);

  // a = L L^T in place; only the lower triangle of a[n, n] is read, and what lies above it is undefined
  // afterwards. False when `a` is not positive definite.
  bool Factor(double* a, size_t n);

  // L^-1 in place, L[n, n] lower triangular.
  void InvertLower(double* l, size_t n);

  // The upper triangular U with U^T U = H^-1, from the lower triangle of h[n, n] and what is added to its
  // diagonal: factor H from its last row up, H = R R^T with R upper triangular, then U = R^-1. Half the work
  // of inverting H and factoring that. `u` is [n, n]; its lower triangle becomes zero. False when H is not
  // positive definite.
  bool InverseFactor(const double* h, double diagonal, double* u, size_t n);

  ThreadTeam* team() const { return team_; }

 private:
  const KernelTable& kernels_;
  ThreadTeam* team_;
  std::vector<AlignedBuffer<double>> left_;  // by thread: packed rows of a
  AlignedBuffer<double> right_;              // packed columns of b
  AlignedBuffer<double> panel_;              // [size, kPanel]
};

// Solves L L^T x = b in place, L[n, n] lower triangular, row-major.
void SolveFactored(const double* l, size_t n, double* x) noexcept;

}  // namespace espalier
