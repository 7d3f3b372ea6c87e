#include <cfloat>
#include <cmath>
#include <limits>
#include <vector>

#include "kernel_test.h"
#include "test_buffers.h"

namespace espalier {
namespace {

ESPALIER_KERNEL_SUITE(Binary);

float Reference(BinaryOp op, float a, float b) {
  switch (op) {
    case BinaryOp::kAdd:
      return a + b;
    case BinaryOp::kSub:
      return a - b;
    case BinaryOp::kMul:
      return a * b;
    case BinaryOp::kDiv:
      return a / b;
    case BinaryOp::kMin:
      return std::isnan(a) || std::isnan(b) ? std::nanf("") : std::fmin(a, b);
    case BinaryOp::kMax:
      return std::isnan(a) || std::isnan(b) ? std::nanf("") : std::fmax(a, b);
    case BinaryOp::kPow:
      return static_cast<float>(std::pow(static_cast<double>(a), static_cast<double>(b)));
    case BinaryOp::kPRelu:
      return a < 0 ? a * b : a;
    case BinaryOp::kCount:
      break;
  }
  return 0;
}

// Every operator but pow is one correctly rounded operation.
void ExpectAgrees(BinaryOp op, float a, float b, float y) {
  const float reference = Reference(op, a, b);
  if (std::isnan(reference)) {
    EXPECT_TRUE(std::isnan(y)) << a << " op " << static_cast<int>(op) << " " << b << " = " << y;
  } else if (op == BinaryOp::kPow && std::isfinite(reference)) {
    EXPECT_NEAR(y, reference, 2e-7 * std::fabs(reference) + FLT_MIN) << a << " ^ " << b;
  } else {
    EXPECT_EQ(y, reference) << a << " op " << static_cast<int>(op) << " " << b;
  }
}

ESPALIER_KERNEL_TEST(Binary, binary, EveryLengthAndStep) {
  for (int32_t i = 0; i < static_cast<int32_t>(BinaryOp::kCount); ++i) {
    const BinaryOp op = static_cast<BinaryOp>(i);
    for (const int a_step : {0, 1}) {
      for (const int b_step : {0, 1}) {
        for (size_t n = 0; n <= 49; ++n) {
          const EdgeBuffer<float> a(RandomValues(a_step == 0 ? 1 : n, 2));
          const EdgeBuffer<float> b(RandomValues(b_step == 0 ? 1 : n, 3));
          GuardedOutput y(n);
          kernels().binary(op, a.data(), a_step, b.data(), b_step, y.data(), n);
          y.ExpectGuardsIntact();
          for (size_t j = 0; j < n; ++j) {
            ExpectAgrees(op, a.data()[a_step == 0 ? 0 : j], b.data()[b_step == 0 ? 0 : j], y[j]);
          }
        }
      }
    }
  }
}

ESPALIER_KERNEL_TEST(Binary, binary, InPlace) {
  const size_t n = 37;
  const std::vector<float> a = RandomValues(n, 4);
  const std::vector<float> b = RandomValues(n, 5);
  for (int32_t i = 0; i < static_cast<int32_t>(BinaryOp::kCount); ++i) {
    const BinaryOp op = static_cast<BinaryOp>(i);
    GuardedOutput left(n);
    GuardedOutput right(n);
    left.Fill(a);
    right.Fill(b);
    kernels().binary(op, left.data(), 1, b.data(), 1, left.data(), n);
    kernels().binary(op, a.data(), 1, right.data(), 1, right.data(), n);
    for (size_t j = 0; j < n; ++j) {
      ExpectAgrees(op, a[j], b[j], left[j]);
      ExpectAgrees(op, a[j], b[j], right[j]);
    }
  }
}

ESPALIER_KERNEL_TEST(Binary, binary, SpecialValues) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const std::vector<float> values = {0.0f, -0.0f, 1.0f, -1.0f, 0.5f,          -2.5f, 3.0f,
                                     kInf, -kInf, 2.0f, 1e30f, std::nanf(""), 1e-30f};
  for (int32_t i = 0; i < static_cast<int32_t>(BinaryOp::kCount); ++i) {
    const BinaryOp op = static_cast<BinaryOp>(i);
    for (const float b : values) {
      std::vector<float> y(values.size());
      kernels().binary(op, values.data(), 1, &b, 0, y.data(), values.size());
      for (size_t j = 0; j < values.size(); ++j) ExpectAgrees(op, values[j], b, y[j]);
    }
  }
}

}  // namespace
}  // namespace espalier
