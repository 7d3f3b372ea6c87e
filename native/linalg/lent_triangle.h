#pragma once

#include <cstddef>

#include "core/aligned_buffer.h"

namespace espalier {

// Lends the lower triangle of a symmetric matrix[n, n] as working memory, its diagonal included: a matrix of
// a wide layer is the largest thing that pruning holds, so it is not copied. What lies above the diagonal,
// and a copy of the diagonal, are the matrix meanwhile, and bring the lower triangle back in the end.
class LentTriangle {
 public:
  LentTriangle(double* matrix, size_t n);
  LentTriangle(const LentTriangle&) = delete;
  LentTriangle& operator=(const LentTriangle&) = delete;
  ~LentTriangle();

  // Row-major, [n, n]; what lies above the diagonal must stay.
  double* data() const { return matrix_; }

  // Writes the lower triangle of the matrix at the `count` ascending columns, and the same rows, to that of
  // out[count, count], with `added` on its diagonal. `out` may be data().
  void Gather(const size_t* columns, size_t count, double added, double* out, size_t out_stride) const;

 private:
  double* matrix_;
  size_t n_;
  AlignedBuffer<double> diagonal_;  // [n]
};

}  // namespace espalier
