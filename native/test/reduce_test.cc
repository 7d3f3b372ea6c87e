#include <cmath>
#include <limits>
#include <vector>

#include "kernel_test.h"
#include "test_buffers.h"

namespace espalier {
namespace {

ESPALIER_KERNEL_SUITE(Reduce);

constexpr double kInf = std::numeric_limits<double>::infinity();

double Start(ReduceOp op) {
  return op == ReduceOp::kMax ? -kInf : op == ReduceOp::kMin ? kInf : op == ReduceOp::kProd ? 1.0 : 0.0;
}

double Fold(ReduceOp op, double a, double x) {
  switch (op) {
    case ReduceOp::kSum:
      return a + x;
    case ReduceOp::kMax:
      return std::fmax(a, x);
    case ReduceOp::kMin:
      return std::fmin(a, x);
    case ReduceOp::kSumSquare:
      return a + x * x;
    case ReduceOp::kSumAbs:
      return a + std::fabs(x);
    case ReduceOp::kProd:
      return a * x;
    case ReduceOp::kCount:
      break;
  }
  return 0;
}

// Sums: 1e-6 of the sum of magnitudes. Products: one rounding a factor. Maxima are exact.
double Tolerance(ReduceOp op, const std::vector<float>& x, double result) {
  if (op == ReduceOp::kMax || op == ReduceOp::kMin) return 0.0;
  if (op == ReduceOp::kProd) return 1.2e-7 * static_cast<double>(x.size()) * std::fabs(result) + 1e-37;
  double magnitude = 0;
  for (const float value : x) magnitude += op == ReduceOp::kSumSquare ? value * value : std::fabs(value);
  return 1e-6 * magnitude;
}

std::vector<float> Row(size_t n) {
  std::vector<float> x = RandomValues(n, 8);
  for (float& value : x) value += value < 0 ? -0.5f : 0.5f;  // products neither vanish nor overflow at once
  return x;
}

ESPALIER_KERNEL_TEST(Reduce, reduce, EveryOperatorAndLength) {
  for (int32_t i = 0; i < static_cast<int32_t>(ReduceOp::kCount); ++i) {
    const ReduceOp op = static_cast<ReduceOp>(i);
    for (const size_t n :
         {0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 79, 127, 128, 129, 1000}) {
      const std::vector<float> values = Row(n);
      const EdgeBuffer<float> x(values);
      double expected = Start(op);
      for (const float value : values) expected = Fold(op, expected, value);
      const float result = kernels().reduce(op, x.data(), n);
      if (std::isinf(expected)) {
        EXPECT_EQ(result, expected) << i;
      } else {
        EXPECT_NEAR(result, expected, Tolerance(op, values, expected)) << "operator " << i << " of " << n;
      }
    }
  }
}

ESPALIER_KERNEL_TEST(Reduce, reduce, NaNAnywhereIsTheResult) {
  for (int32_t i = 0; i < static_cast<int32_t>(ReduceOp::kCount); ++i) {
    for (const size_t n : {1, 20, 70}) {
      for (size_t at = 0; at < n; ++at) {
        std::vector<float> x = Row(n);
        x[at] = std::nanf("");
        EXPECT_TRUE(std::isnan(kernels().reduce(static_cast<ReduceOp>(i), x.data(), n))) << i << " at " << at;
      }
    }
  }
}

ESPALIER_KERNEL_TEST(Reduce, accumulate, EveryOperatorAndLength) {
  for (int32_t i = 0; i < static_cast<int32_t>(ReduceOp::kCount); ++i) {
    const ReduceOp op = static_cast<ReduceOp>(i);
    for (size_t n = 0; n <= 49; ++n) {
      const EdgeBuffer<float> x(Row(n));
      const std::vector<float> before = RandomValues(n, 9);
      GuardedOutput y(n);
      y.Fill(before);
      kernels().accumulate(op, x.data(), y.data(), n);
      y.ExpectGuardsIntact();
      for (size_t j = 0; j < n; ++j) {
        const double expected = Fold(op, before[j], x.data()[j]);
        EXPECT_NEAR(y[j], expected, 2e-7 * (std::fabs(before[j]) + 3)) << "operator " << i << " at " << j;
      }
    }
  }
}

ESPALIER_KERNEL_TEST(Reduce, accumulate, NaNPropagates) {
  for (int32_t i = 0; i < static_cast<int32_t>(ReduceOp::kCount); ++i) {
    const std::vector<float> x = {std::nanf(""), 1.0f};
    std::vector<float> y = {1.0f, std::nanf("")};
    kernels().accumulate(static_cast<ReduceOp>(i), x.data(), y.data(), 2);
    EXPECT_TRUE(std::isnan(y[0]) && std::isnan(y[1])) << i;
  }
}

}  // namespace
}  // namespace espalier
