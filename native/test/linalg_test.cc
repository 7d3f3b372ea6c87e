#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "isa/isa.h"
#include "linalg/admm.h"
#include "linalg/lent_triangle.h"
#include "linalg/refit.h"
#include "linalg/solver.h"
#include "linalg/sparse_gpt.h"
#include "test_buffers.h"

namespace espalier {
namespace {

using Matrix = std::vector<double>;

const KernelTable& Fastest() { return *AvailableKernels().back(); }

Matrix Random(size_t n, uint32_t seed) {
  const std::vector<float> values = RandomValues(n, seed);
  return {values.begin(), values.end()};
}

// X^T X + I of random X[2n, n]: symmetric positive definite.
Matrix Gram(size_t n, uint32_t seed) {
  const Matrix x = Random(2 * n * n, seed);
  Matrix gram(n * n);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < n; ++j) {
      double sum = i == j ? 1 : 0;
      for (size_t r = 0; r < 2 * n; ++r) sum += x[r * n + i] * x[r * n + j];
      gram[i * n + j] = sum;
    }
  }
  return gram;
}

double Largest(const Matrix& m) {
  double largest = 0;
  for (const double value : m) largest = std::max(largest, std::fabs(value));
  return largest;
}

constexpr size_t kSizes[] = {1, 2, 7, 63, 64, 65, 130, 200};

// A backward stable factorisation is within some n roundings of its matrix.
TEST(Linalg, FactorTimesItsTransposeIsTheMatrix) {
  ThreadTeam team(2);
  for (const size_t n : kSizes) {
    const Matrix a = Gram(n, 4);
    Matrix l = a;
    Solver solver(Fastest(), &team, n);
    ASSERT_TRUE(solver.Factor(l.data(), n, n));
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = i + 1; j < n; ++j) ASSERT_EQ(l[i * n + j], a[i * n + j]);
    }
    const double tolerance = 1e-15 * static_cast<double>(n + 4) * Largest(a);
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = 0; j <= i; ++j) {
        double sum = 0;
        for (size_t k = 0; k <= j; ++k) sum += l[i * n + k] * l[j * n + k];
        ASSERT_NEAR(sum, a[i * n + j], tolerance) << n;
      }
    }
  }
}

TEST(Linalg, WhatIsNotPositiveDefiniteIsRefused) {
  Solver solver(Fastest(), nullptr, 100);
  Matrix a = Gram(100, 5);
  a[80 * 100 + 80] = -1;
  Matrix copy = a;
  EXPECT_FALSE(solver.FactorInverse(copy.data(), 100, 100));
  a[80 * 100 + 80] = std::nan("");
  EXPECT_FALSE(solver.Factor(a.data(), 100, 100));
}

// L L^T H = I, up to the condition of H, and rows may lie apart.
TEST(Linalg, FactorInverseIsLowerAndInverts) {
  ThreadTeam team(2);
  for (const size_t n : kSizes) {
    const size_t stride = n + 3;
    const Matrix h = Gram(n, 6);
    Matrix l(n * stride, -7);
    for (size_t i = 0; i < n; ++i) std::copy_n(&h[i * n], i + 1, &l[i * stride]);
    Solver solver(Fastest(), &team, n);
    ASSERT_TRUE(solver.FactorInverse(l.data(), n, stride));
    Matrix inverse(n * n);
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = i + 1; j < stride; ++j) ASSERT_EQ(l[i * stride + j], -7);
      ASSERT_GT(l[i * stride + i], 0);
      for (size_t j = 0; j < n; ++j) {
        for (size_t k = 0; k <= std::min(i, j); ++k)
          inverse[i * n + j] += l[i * stride + k] * l[j * stride + k];
      }
    }
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = 0; j < n; ++j) {
        double sum = 0;
        for (size_t k = 0; k < n; ++k) sum += inverse[i * n + k] * h[k * n + j];
        ASSERT_NEAR(sum, i == j ? 1 : 0, 1e-10) << n;
      }
    }
  }
}

// A triangle counts as zero beyond its diagonal, whatever lies there.
TEST(Linalg, TrianglesAreMultipliedAsIfTheRestWereZero) {
  constexpr size_t kRows = 70, kSize = 600;  // more than a block of columns, and of depth
  ThreadTeam team(2);
  Solver solver(Fastest(), &team, kSize);
  const Matrix a = Random(kRows * kSize, 1);
  const Matrix whole = Random(kSize * kSize, 2);
  for (const Part part : {Part::kLower, Part::kUpper}) {
    Matrix b = whole;
    for (size_t i = 0; i < kSize; ++i) {
      for (size_t j = 0; j < kSize; ++j) {
        if (part == Part::kLower ? j > i : j < i) b[i * kSize + j] = 0;
      }
    }
    Matrix expected(kRows * kSize), product(kRows * kSize);
    solver.MultiplyAdd<double>({kRows, kSize, kSize, false}, 1, {a.data(), kSize, 1}, {b.data(), kSize, 1},
                               expected.data(), kSize);
    solver.MultiplyAdd<double>({kRows, kSize, kSize, false}, 1, {a.data(), kSize, 1},
                               {whole.data(), kSize, 1, part}, product.data(), kSize);
    EXPECT_EQ(product, expected);
  }
}

TEST(Linalg, ALentTriangleIsGatheredAndComesBack) {
  constexpr size_t n = 75;
  const Matrix h = Gram(n, 3);
  Matrix symmetric = h;
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < i; ++j) symmetric[i * n + j] = symmetric[j * n + i];
  }
  Matrix lent = symmetric;
  std::vector<size_t> columns;
  for (size_t col = 0; col < n; col += 2) columns.push_back(col);
  {
    const LentTriangle triangle(lent.data(), n);
    for (const double added : {0.5, 2.0}) {  // what was lent before does not matter
      triangle.Gather(columns.data(), columns.size(), added, triangle.data(), n);
      for (size_t i = 0; i < columns.size(); ++i) {
        for (size_t j = 0; j <= i; ++j) {
          const double expected = symmetric[columns[i] * n + columns[j]] + (i == j ? added : 0);
          ASSERT_EQ(lent[i * n + j], expected);
        }
      }
    }
    EXPECT_NE(lent, symmetric);
  }
  EXPECT_EQ(lent, symmetric);
}

struct Pruned {
  Matrix weights;
  std::vector<uint8_t> removed;
};

Pruned Prune(const KernelTable& kernels, size_t threads, UnitShape unit, size_t removals) {
  constexpr size_t kRows = 70, kCols = 300;
  Matrix factor = Gram(kCols, 7);
  ThreadTeam team(threads);
  Solver solver(kernels, &team, kCols);
  EXPECT_TRUE(solver.FactorInverse(factor.data(), kCols, kCols));
  Pruned result{Random(kRows * kCols, 8), {}};
  result.removed.resize((kRows + unit.rows - 1) / unit.rows * ((kCols + unit.cols - 1) / unit.cols));
  SparseGpt({result.weights.data(), {kRows, kCols, unit}, factor.data(), removals, result.removed.data()},
            solver);
  return result;
}

TEST(Linalg, SparseGptIsTheSameOnEveryInstructionSetAndNumberOfThreads) {
  for (const UnitShape unit :
       {UnitShape{1, 1, 0, 0}, UnitShape{16, 1, 0, 0}, UnitShape{3, 5, 0, 0}, UnitShape{1, 1, 2, 4}}) {
    const Pruned one = Prune(*AvailableKernels().front(), 1, unit, 200);
    for (const KernelTable* kernels : AvailableKernels()) {
      const Pruned other = Prune(*kernels, 3, unit, 200);
      EXPECT_EQ(one.weights, other.weights) << kernels->isa;
      EXPECT_EQ(one.removed, other.removed) << kernels->isa;
    }
    const auto removed = std::count(one.removed.begin(), one.removed.end(), 1);
    EXPECT_EQ(removed, unit.of == 0 ? 200 : 70 * 300 / 2);
  }
}

std::vector<uint8_t> MaskByAdmm(const KernelTable& kernels, size_t threads, UnitShape unit, size_t removals) {
  constexpr size_t kRows = 40, kCols = 92;
  const Matrix weights = Random(kRows * kCols, 8);
  Matrix h = Gram(kCols, 7);
  const UnitGrid grid{kRows, kCols, unit};
  ThreadTeam team(threads);
  Solver solver(kernels, &team, kCols);
  std::vector<uint8_t> removed(grid.unit_rows() * grid.unit_cols());
  EXPECT_TRUE(AdmmMask({weights.data(), h.data(), 0.1, grid, removals, removed.data()}, solver));
  return removed;
}

TEST(Linalg, AdmmIsTheSameOnEveryInstructionSetAndNumberOfThreads) {
  for (const UnitShape unit :
       {UnitShape{1, 1, 0, 0}, UnitShape{16, 1, 0, 0}, UnitShape{3, 5, 0, 0}, UnitShape{1, 1, 2, 4}}) {
    const std::vector<uint8_t> one = MaskByAdmm(*AvailableKernels().front(), 1, unit, 100);
    for (const KernelTable* kernels : AvailableKernels()) {
      EXPECT_EQ(one, MaskByAdmm(*kernels, 3, unit, 100)) << kernels->isa;
    }
    EXPECT_EQ(std::count(one.begin(), one.end(), 1), unit.of == 0 ? 100 : 40 * 92 / 2);
  }
}

// At the least squares the gradient over kept weights is zero: (gram + ridge) w - target = 0 there.
TEST(Linalg, RefitSolvesTheNormalEquationsOfEveryMask) {
  constexpr size_t kRows = 40, kCols = 90;
  Matrix gram = Gram(kCols, 9);
  const Matrix target = Random(kRows * kCols, 10);
  ThreadTeam team(2);
  for (const size_t shared : {1, 8, 40}) {  // rows that keep the same columns
    std::vector<uint8_t> kept(kRows * kCols);
    for (size_t row = 0; row < kRows; ++row) {
      for (size_t col = 0; col < kCols; ++col)
        kept[row * kCols + col] = (row / shared * 7 + col * (5 + row / shared)) % 11 < 7;
    }
    Matrix weights(kRows * kCols, 1);
    ASSERT_TRUE(Refit({gram.data(), 0.25, target.data(), kept.data(), weights.data(), kRows, kCols},
                      Fastest(), team));
    for (size_t row = 0; row < kRows; ++row) {
      for (size_t col = 0; col < kCols; ++col) {
        if (kept[row * kCols + col] == 0) {
          ASSERT_EQ(weights[row * kCols + col], 0);
          continue;
        }
        double gradient = 0.25 * weights[row * kCols + col] - target[row * kCols + col];
        for (size_t k = 0; k < kCols; ++k) gradient += gram[col * kCols + k] * weights[row * kCols + k];
        ASSERT_NEAR(gradient, 0, 1e-11) << shared;
      }
    }
  }
}

}  // namespace
}  // namespace espalier
