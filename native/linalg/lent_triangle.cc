#include "linalg/lent_triangle.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace espalier {
namespace {

constexpr size_t kTile = 32;  // its rows, read across, and its columns, written, fit the first-level cache

}  // namespace

LentTriangle::LentTriangle(double* matrix, size_t n) : matrix_(matrix), n_(n), diagonal_(n) {
  for (size_t i = 0; i < n; ++i) diagonal_[i] = matrix[i * n + i];
}

LentTriangle::~LentTriangle() {
  for (size_t first = 0; first < n_; first += kTile) {
    for (size_t i = first; i < n_; ++i) {
      const size_t end = std::min(i, first + kTile);
      for (size_t j = first; j < end; ++j) matrix_[i * n_ + j] = matrix_[j * n_ + i];
    }
  }
  for (size_t i = 0; i < n_; ++i) matrix_[i * n_ + i] = diagonal_[i];
}

void LentTriangle::Gather(const size_t* columns, size_t count, double added, double* out,
                          size_t out_stride) const {
  for (size_t first = 0; first < count; first += kTile) {
    for (size_t i = first; i < count; ++i) {
      const size_t end = std::min(i, first + kTile);
      for (size_t j = first; j < end; ++j) out[i * out_stride + j] = matrix_[columns[j] * n_ + columns[i]];
    }
  }
  for (size_t i = 0; i < count; ++i) out[i * out_stride + i] = diagonal_[columns[i]] + added;
}

}  // namespace espalier
