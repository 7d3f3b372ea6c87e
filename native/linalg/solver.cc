#include "linalg/solver.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "linalg/parallel.h"

namespace espalier {
namespace {

constexpr size_t kDepth = 256;       // of a packed block: a tile's columns of it fit the first-level cache
constexpr size_t kRowsOfTask = 64;   // its packed rows fit the second-level cache
constexpr size_t kColsOfTask = 256;  // a multiple of kGemmTile
constexpr size_t kPanel = 64;        // columns that a factorisation eliminates together

struct Range {
  size_t begin;
  size_t end;
};

// Those of `count` rows from `first` on that are read in a column.
Range ReadRows(Part part, size_t first, size_t count, size_t col) {
  if (part == Part::kLower) return {std::min(count, col > first ? col - first : 0), count};
  if (part == Part::kUpper) return {0, std::min(count, col + 1 > first ? col + 1 - first : 0)};
  return {0, count};
}

// Whether a matrix is zero in all of the rows [row, row_end) and columns [col, col_end).
bool IsZero(Part part, size_t row, size_t row_end, size_t col, size_t col_end) {
  return (part == Part::kLower && row_end <= col) || (part == Part::kUpper && col_end <= row);
}

// Rows [first, first + rows) and columns [k, k + depth) as [ceil(rows / 8), depth, 8], rows past the end
// zero.
template <typename T>
void Pack(View<T> a, size_t first, size_t rows, size_t k, size_t depth, double alpha, double* out) {
  for (size_t strip = 0; strip < rows; strip += kGemmTile) {
    const size_t height = std::min(kGemmTile, rows - strip);
    for (size_t i = 0; i < depth; ++i, out += kGemmTile) {
      const T* from = a.data + (first + strip) * a.row_stride + (k + i) * a.col_stride;
      const auto [begin, end] = ReadRows(a.part, first + strip, height, k + i);
      std::fill_n(out, kGemmTile, 0.0);
      for (size_t r = begin; r < end; ++r) out[r] = alpha * static_cast<double>(from[r * a.row_stride]);
    }
  }
}

// L of a[n, n] = L L^T in place, for one panel.
bool FactorSmall(double* a, size_t n, size_t stride) {
  for (size_t i = 0; i < n; ++i) {
    double* row = a + i * stride;
    for (size_t j = 0; j <= i; ++j) {
      const double* other = a + j * stride;
      double sum = row[j];
      for (size_t k = 0; k < j; ++k) sum -= row[k] * other[k];
      if (j < i) {
        row[j] = sum / other[j];
      } else {
        if (!(sum > 0) || !std::isfinite(sum)) return false;
        row[i] = std::sqrt(sum);
      }
    }
  }
  return true;
}

// The inverse of a lower triangular l[n, n]; out[n, n] has its own stride, and zeros above the diagonal.
void InvertSmall(const double* l, size_t n, size_t stride, double* out, size_t out_stride) {
  for (size_t i = 0; i < n; ++i) {
    double* row = out + i * out_stride;
    std::fill(row, row + n, 0.0);
    for (size_t k = 0; k < i; ++k) {
      const double factor = l[i * stride + k];
      const double* known = out + k * out_stride;
      for (size_t j = 0; j <= k; ++j) row[j] -= factor * known[j];
    }
    const double scale = 1 / l[i * stride + i];
    for (size_t j = 0; j < i; ++j) row[j] *= scale;
    row[i] = scale;
  }
}

// Reflects the lower triangle of a[n, n] about the other diagonal: (i, j) and (n - 1 - j, n - 1 - i) change
// places.
void Turn(double* a, size_t n, size_t stride) {
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j <= i && i + j + 1 < n; ++j)
      std::swap(a[i * stride + j], a[(n - 1 - j) * stride + n - 1 - i]);
  }
}

}  // namespace

Solver::Solver(const KernelTable& kernels, ThreadTeam* team, size_t size)
    : kernels_(kernels),
      team_(team),
      right_(RoundUp(size, kColsOfTask) * kDepth),
      panel_(RoundUp(size, kPanel) * kPanel) {
  for (size_t i = 0; i < (team == nullptr ? 1 : team->size()); ++i) left_.emplace_back(kRowsOfTask * kDepth);
}

template <typename T>
void Solver::MultiplyAdd(const ProductShape& shape, double alpha, View<T> a, View<T> b, double* out,
                         size_t out_stride) {
  const auto [rows, depth_all, cols, lower] = shape;
  const size_t row_tasks = (rows + kRowsOfTask - 1) / kRowsOfTask;
  const size_t col_tasks = (cols + kColsOfTask - 1) / kColsOfTask;
  for (size_t k = 0; k < depth_all; k += kDepth) {
    const size_t depth = std::min(kDepth, depth_all - k);
    ParallelFor(team_, col_tasks, [&, cols = cols](size_t task, size_t) {
      const size_t first = task * kColsOfTask;
      const size_t width = std::min(kColsOfTask, cols - first);
      if (IsZero(b.part, k, k + depth, first, first + width)) return;
      Pack(b.Transposed(), first, width, k, depth, 1.0, right_.data() + first * depth);
    });
    ParallelFor(team_, row_tasks * col_tasks,
                [&, rows = rows, cols = cols, lower = lower](size_t task, size_t thread) {
                  const size_t first = task / col_tasks * kRowsOfTask;
                  const size_t first_col = task % col_tasks * kColsOfTask;
                  const size_t end = std::min(rows, first + kRowsOfTask);
                  const size_t end_col = std::min(cols, first_col + kColsOfTask);
                  if (lower && first_col >= end) return;
                  if (IsZero(b.part, k, k + depth, first_col, end_col)) return;
                  double* left = left_[thread].data();
                  Pack(a, first, end - first, k, depth, alpha, left);
                  for (size_t col = first_col; col < end_col; col += kGemmTile) {
                    for (size_t row = first; row < end; row += kGemmTile) {
                      if (lower && col >= row + kGemmTile) continue;
                      const double* a_tile = left + (row - first) * depth;
                      const double* b_tile = right_.data() + col * depth;
                      const bool is_whole = row + kGemmTile <= end && col + kGemmTile <= end_col;
                      if (is_whole && (!lower || col + kGemmTile <= row + 1)) {
                        kernels_.gemm_tile64(a_tile, b_tile, depth, out + row * out_stride + col, out_stride);
                        continue;
                      }
                      double tile[kGemmTile * kGemmTile] = {};
                      kernels_.gemm_tile64(a_tile, b_tile, depth, tile, kGemmTile);
                      for (size_t r = row; r < std::min(end, row + kGemmTile); ++r) {
                        const size_t most = lower ? std::min(end_col, r + 1) : end_col;
                        for (size_t c = col; c < std::min(most, col + kGemmTile); ++c) {
                          out[r * out_stride + c] += tile[(r - row) * kGemmTile + c - col];
                        }
                      }
                    }
                  }
                });
  }
}

template void Solver::MultiplyAdd(const ProductShape&, double, View<float>, View<float>, double*, size_t);
template void Solver::MultiplyAdd(const ProductShape&, double, View<double>, View<double>, double*, size_t);

bool Solver::Factor(double* a, size_t n, size_t stride) {
  double inverse[kPanel * kPanel];
  for (size_t k = 0; k < n; k += kPanel) {
    const size_t width = std::min(kPanel, n - k);
    double* diagonal = a + k * stride + k;
    if (!FactorSmall(diagonal, width, stride)) return false;
    const size_t below = n - k - width;
    if (below == 0) break;
    // The rows below: L21 = A21 L11^-T, and A22 -= L21 L21^T.
    InvertSmall(diagonal, width, stride, inverse, kPanel);
    double* under = diagonal + width * stride;
    for (size_t r = 0; r < below; ++r) {
      std::copy_n(under + r * stride, width, panel_.data() + r * kPanel);
      std::fill_n(under + r * stride, width, 0.0);
    }
    MultiplyAdd<double>({below, width, width, false}, 1, {panel_.data(), kPanel, 1}, {inverse, 1, kPanel},
                        under, stride);
    const View<double> factored{under, stride, 1};
    MultiplyAdd<double>({below, width, below, true}, -1, factored, factored.Transposed(), under + width,
                        stride);
  }
  return true;
}

void Solver::InvertLower(double* l, size_t n, size_t stride) {
  double inverse[kPanel * kPanel];
  for (size_t k = 0; k < n; k += kPanel) {
    // The rows above hold their inverse X already: X21 = -L22^-1 (L21 X11).
    const size_t width = std::min(kPanel, n - k);
    double* rows = l + k * stride;
    InvertSmall(rows + k, width, stride, inverse, kPanel);
    double* product = panel_.data();  // [width, k]
    std::fill_n(product, width * k, 0.0);
    MultiplyAdd<double>({width, k, k, false}, 1, {rows, stride, 1}, {l, stride, 1, Part::kLower}, product, k);
    for (size_t r = 0; r < width; ++r) {
      std::fill_n(rows + r * stride, k, 0.0);
      std::copy_n(inverse + r * kPanel, r + 1, rows + r * stride + k);
    }
    MultiplyAdd<double>({width, width, k, false}, -1, {inverse, kPanel, 1}, {product, k, 1}, rows, stride);
  }
}

bool Solver::FactorInverse(double* a, size_t n, size_t stride) {
  Turn(a, n, stride);
  if (!Factor(a, n, stride)) return false;
  InvertLower(a, n, stride);
  Turn(a, n, stride);
  return true;
}

void SolveFactored(const double* l, size_t n, size_t stride, double* x) noexcept {
  for (size_t i = 0; i < n; ++i) {
    const double* row = l + i * stride;
    double sums[4] = {};  // four at a time hide the latency of an addition
    size_t k = 0;
    for (; k + 4 <= i; k += 4) {
      for (size_t lane = 0; lane < 4; ++lane) sums[lane] += row[k + lane] * x[k + lane];
    }
    for (; k < i; ++k) sums[0] += row[k] * x[k];
    x[i] = (x[i] - ((sums[0] + sums[1]) + (sums[2] + sums[3]))) / row[i];
  }
  for (size_t i = n; i-- > 0;) {
    const double* row = l + i * stride;
    x[i] /= row[i];
    for (size_t k = 0; k < i; ++k) x[k] -= row[k] * x[i];
  }
}

}  // namespace espalier
