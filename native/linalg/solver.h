#pragma once

#include <cstddef>
#include <vector>

#include "core/aligned_buffer.h"
#include "kernels/kernel_types.h"
#include "runtime/thread_team.h"

namespace espalier {

// Which elements of a matrix are read; the others count as zero.
enum class Part { kAll, kLower, kUpper };  // the triangles with the diagonal

// Element (r, c) is data[r * row_stride + c * col_stride].
template <typename T>
struct View {
  const T* data;
  size_t row_stride;
  size_t col_stride;
  Part part = Part::kAll;
  View Transposed() const {
    const Part turned = part == Part::kAll ? part : part == Part::kLower ? Part::kUpper : Part::kLower;
    return {data, col_stride, row_stride, turned};
  }
};

struct ProductShape {
  size_t rows;
  size_t depth;
  size_t cols;
  bool lower;  // only elements on and below the diagonal are written
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

  // These three work on the lower triangle of a[n, n] in place; what lies above the diagonal is neither read
  // nor written. Rows lie `stride` apart.

  // a = L L^T. False when `a` is not positive definite.
  bool Factor(double* a, size_t n, size_t stride);

  // L^-1 of L.
  void InvertLower(double* l, size_t n, size_t stride);

  // The L with L L^T = A^-1: A is factored from its last row up, A = R R^T with R upper triangular, and
  // L^T = R^-1. Half the work of inverting A and factoring that. False when A is not positive definite.
  bool FactorInverse(double* a, size_t n, size_t stride);

  ThreadTeam* team() const { return team_; }

 private:
  const KernelTable& kernels_;
  ThreadTeam* team_;
  std::vector<AlignedBuffer<double>> left_;  // by thread: packed rows of a
  AlignedBuffer<double> right_;              // packed columns of b
  AlignedBuffer<double> panel_;              // [size, kPanel]
};

// Solves L L^T x = b in place, L[n, n] lower triangular, its rows `stride` apart.
void SolveFactored(const double* l, size_t n, size_t stride, double* x) noexcept;

}  // namespace espalier
