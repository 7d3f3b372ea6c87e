#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "isa/isa.h"
#include "linalg/admm.h"
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
    ASSERT_TRUE(solver.Factor(l.data(), n));
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
  Matrix u(100 * 100);
  EXPECT_FALSE(solver.InverseFactor(a.data(), 0, u.data(), 100));
  a[80 * 100 + 80] = std::nan("");
  EXPECT_FALSE(solver.Factor(a.data(), 100));
}

// U^T U (H + 0.5 I) = I, up to the condition of H.
TEST(Linalg, InverseFactorIsUpperAndInverts) {
  ThreadTeam team(2);
  for (const size_t n : kSizes) {
    const Matrix h = Gram(n, 6);
    Matrix u(n * n);
    Solver solver(Fastest(), &team, n);
    ASSERT_TRUE(solver.InverseFactor(h.data(), 0.5, u.data(), n));
    Matrix inverse(n * n);
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = 0; j < i; ++j) ASSERT_EQ(u[i * n + j], 0);
      ASSERT_GT(u[i * n + i], 0);
      for (size_t j = 0; j < n; ++j) {
        for (size_t k = 0; k <= std::min(i, j); ++k) inverse[i * n + j] += u[k * n + i] * u[k * n + j];
      }
    }
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = 0; j < n; ++j) {
        double sum = 0;
        for (size_t k = 0; k < n; ++k) sum += inverse[i * n + k] * (h[k * n + j] + (k == j ? 0.5 : 0));
        ASSERT_NEAR(sum, i == j ? 1 : 0, 1e-10) << n;
      }
    }
  }
}

struct Pruned {
  Matrix weights;
  std::vector<uint8_t> removed;
};

Pruned Prune(const KernelTable& kernels, size_t threads, UnitShape unit, size_t removals) {
  constexpr size_t kRows = 70, kCols = 300;
  const Matrix h = Gram(kCols, 7);
  Matrix u(kCols * kCols);
  ThreadTeam team(threads);
  Solver solver(kernels, &team, kCols);
  EXPECT_TRUE(solver.InverseFactor(h.data(), 0, u.data(), kCols));
  Pruned result{Random(kRows * kCols, 8), {}};
  result.removed.resize((kRows + unit.rows - 1) / unit.rows * ((kCols + unit.cols - 1) / unit.cols));
  SparseGpt({result.weights.data(), {kRows, kCols, unit}, u.data(), removals, result.removed.data()}, solver);
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
  const Matrix h = Gram(kCols, 7);
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
  const Matrix gram = Gram(kCols, 9);
  const Matrix target = Random(kRows * kCols, 10);
  ThreadTeam team(2);
  for (const size_t shared : {1, 8, 40}) {  // rows that keep the same columns
    std::vector<uint8_t> kept(kRows * kCols);
    for (size_t row = 0; row < kRows; ++row) {
      for (size_t col = 0; col < kCols; ++col)
        kept[row * kCols + col] = (row / shared * 7 + col * 5) % 3 != 0;
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
