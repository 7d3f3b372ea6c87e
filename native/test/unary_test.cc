#include <cfloat>
#include <cmath>
#include <limits>
#include <vector>

#include "kernel_test.h"
#include "test_buffers.h"

namespace espalier {
namespace {

ESPALIER_KERNEL_SUITE(Unary);

constexpr float kAlpha = 0.3f;
constexpr float kBeta = 1.7f;

// gelu_tanh(x) is x / (1 + exp(-e)) with this e.
double GeluTanhExponent(double x) { return 2 * std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x); }

// The definitions of kernel_types.h, in double precision.
double Reference(UnaryOp op, double x) {
  const double alpha = kAlpha;
  const double beta = kBeta;
  const auto clamp = [](double v, double lo, double hi) { return v < lo ? lo : v > hi ? hi : v; };
  const auto softplus = [](double v) { return std::fmax(v, 0.0) + std::log1p(std::exp(-std::fabs(v))); };
  switch (op) {
    case UnaryOp::kCopy:
      return x;
    case UnaryOp::kAbs:
      return std::fabs(x);
    case UnaryOp::kNeg:
      return -x;
    case UnaryOp::kRelu:
      return x < 0 ? 0 : x;
    case UnaryOp::kClip:
      return clamp(x, alpha, beta);
    case UnaryOp::kLeakyRelu:
      return x < 0 ? alpha * x : x;
    case UnaryOp::kElu:
      return x < 0 ? alpha * std::expm1(x) : x;
    case UnaryOp::kSelu:
      return x > 0 ? beta * x : beta * alpha * std::expm1(x);
    case UnaryOp::kSigmoid:
      return 1 / (1 + std::exp(-x));
    case UnaryOp::kHardSigmoid:
      return clamp(alpha * x + beta, 0, 1);
    case UnaryOp::kHardSwish:
      return x * clamp(x / 6 + 0.5, 0, 1);
    case UnaryOp::kSilu:
      return x / (1 + std::exp(-x));
    case UnaryOp::kTanh:
      return std::tanh(x);
    case UnaryOp::kErf:
      return std::erf(x);
    case UnaryOp::kGeluErf:
      return 0.5 * x * std::erfc(-x * std::sqrt(0.5));
    case UnaryOp::kGeluTanh:
      return x / (1 + std::exp(-GeluTanhExponent(x)));  // the same, without cancellation
    case UnaryOp::kSoftplus:
      return std::isnan(x) ? x : softplus(x);
    case UnaryOp::kMish:
      return x * std::tanh(softplus(x));
    case UnaryOp::kExp:
      return std::exp(x);
    case UnaryOp::kLog:
      return std::log(x);
    case UnaryOp::kSqrt:
      return std::sqrt(x);
    case UnaryOp::kReciprocal:
      return 1 / x;
    case UnaryOp::kFloor:
      return std::floor(x);
    case UnaryOp::kCeil:
      return std::ceil(x);
    case UnaryOp::kRound:
      return std::nearbyint(x);
    case UnaryOp::kAffine:
      return alpha * x + beta;
    case UnaryOp::kCount:
      break;
  }
  return 0;
}

// |y - reference| <= relative * |reference| + absolute * scale. One float unit is 1.2e-7 relative at most.
struct Tolerance {
  double relative;
  double absolute;  // of the terms that cancel: |x|, or the constants of the formula
};

Tolerance ToleranceOf(UnaryOp op) {
  switch (op) {
    case UnaryOp::kCopy:
    case UnaryOp::kAbs:
    case UnaryOp::kNeg:
    case UnaryOp::kRelu:
    case UnaryOp::kClip:
    case UnaryOp::kFloor:
    case UnaryOp::kCeil:
    case UnaryOp::kRound:
      return {0, 0};
    case UnaryOp::kLeakyRelu:
    case UnaryOp::kSqrt:
    case UnaryOp::kReciprocal:
      return {6e-8, 0};  // correctly rounded
    case UnaryOp::kExp:
    case UnaryOp::kLog:
    case UnaryOp::kErf:
    case UnaryOp::kTanh:
      return {2e-7, 0};
    case UnaryOp::kSigmoid:
    case UnaryOp::kSilu:
    case UnaryOp::kSoftplus:
    case UnaryOp::kElu:
      return {3e-7, 0};
    case UnaryOp::kSelu:
    case UnaryOp::kMish:
      return {5e-7, 0};
    case UnaryOp::kHardSwish:
    case UnaryOp::kHardSigmoid:
    case UnaryOp::kAffine:
      return {2e-7, 2e-7};  // alpha * x + beta cancels where its root is
    case UnaryOp::kGeluErf:
      return {2e-7, 1e-7};  // 1 + erf cancels
    case UnaryOp::kGeluTanh:
      return {4e-7, 0};
    case UnaryOp::kCount:
      break;
  }
  return {0, 0};
}

std::vector<float> Arguments() {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  std::vector<float> x = {
      0.0f,       -0.0f,      kInf,          -kInf,          std::nanf(""), FLT_MIN, -FLT_MIN, FLT_MAX,
      -FLT_MAX,   1.0f,       -1.0f,         0.5f,           -0.5f,         1.5f,    2.5f,     -1.5f,
      -2.5f,      88.72f,     88.73f,        89.0f,          -87.3f,        -87.4f,  -103.9f,  -104.5f,
      8388607.5f, 8388609.0f, 2147483648.0f, -2147483648.0f, 1e10f,         -1e10f,  0.92f,    0.625f};
  for (int i = 0; i <= 40000; ++i) x.push_back(-20.0f + static_cast<float>(i) * 1e-3f);
  for (int i = 0; i <= 4000; ++i) x.push_back(-110.0f + static_cast<float>(i) * 0.05f);
  for (int i = -3700; i <= 3700; ++i) {
    x.push_back(std::pow(10.0f, static_cast<float>(i) * 0.01f));
    x.push_back(-x.back());
  }
  return x;
}

// Beyond the normal range: a result (or the factor of x in it) may be flushed to zero, and one that rounds to
// infinity may be infinite.
bool IsClose(UnaryOp op, double x, double y, double reference) {
  if (std::isnan(reference) || std::isnan(y)) return std::isnan(reference) && std::isnan(y);
  if (std::isinf(y))
    return std::signbit(y) == std::signbit(reference) && std::fabs(reference) > 0.999999 * FLT_MAX;
  const Tolerance tolerance = ToleranceOf(op);
  double allowed = tolerance.relative * std::fabs(reference) + FLT_MIN;
  if (std::isfinite(x)) {
    const bool affine = op == UnaryOp::kHardSigmoid || op == UnaryOp::kAffine;
    allowed += tolerance.absolute * (affine ? std::fabs(kAlpha * x) + kBeta : std::fabs(x));
    // The exponent is a rounded float: its error, a few units of it, is a relative error of the exponential.
    if (op == UnaryOp::kGeluTanh && x < 0) allowed += 1.5e-7 * std::fabs(GeluTanhExponent(x) * reference);
    if (op == UnaryOp::kSilu || op == UnaryOp::kGeluTanh || op == UnaryOp::kMish)
      allowed += FLT_MIN * std::fabs(x);
  }
  return std::fabs(y - reference) <= allowed;
}

::testing::AssertionResult Agrees(UnaryOp op, float x, float y) {
  const double reference = Reference(op, x);
  if (IsClose(op, x, y, reference)) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << "f(" << x << ") = " << y << ", expected " << reference << ", relative error "
         << std::fabs(y - reference) / std::fabs(reference);
}

ESPALIER_KERNEL_TEST(Unary, unary, EveryOperator) {
  const std::vector<float> values = Arguments();
  const EdgeBuffer<float> x(values);
  for (int32_t i = 0; i < static_cast<int32_t>(UnaryOp::kCount); ++i) {
    const UnaryOp op = static_cast<UnaryOp>(i);
    GuardedOutput y(values.size());
    kernels().unary(op, kAlpha, kBeta, x.data(), y.data(), values.size());
    y.ExpectGuardsIntact();
    size_t wrong = 0;
    for (size_t j = 0; j < values.size() && wrong < 3; ++j) {
      const ::testing::AssertionResult agrees = Agrees(op, values[j], y[j]);
      EXPECT_TRUE(agrees) << "operator " << i;
      wrong += agrees ? 0 : 1;
    }
  }
}

ESPALIER_KERNEL_TEST(Unary, unary, EveryLengthInPlace) {
  for (int32_t i = 0; i < static_cast<int32_t>(UnaryOp::kCount); ++i) {
    const UnaryOp op = static_cast<UnaryOp>(i);
    for (size_t n = 0; n <= 49; ++n) {
      const std::vector<float> values = RandomValues(n, 1);
      const EdgeBuffer<float> x(values);
      GuardedOutput y(n);
      kernels().unary(op, kAlpha, kBeta, x.data(), y.data(), n);
      y.ExpectGuardsIntact();
      GuardedOutput in_place(n);
      in_place.Fill(values);
      kernels().unary(op, kAlpha, kBeta, in_place.data(), in_place.data(), n);
      in_place.ExpectGuardsIntact();
      for (size_t j = 0; j < n; ++j) {
        EXPECT_TRUE(Agrees(op, values[j], y[j])) << "operator " << i << " at " << j << " of " << n;
        EXPECT_TRUE(std::isnan(y[j]) ? std::isnan(in_place[j]) : y[j] == in_place[j]) << "operator " << i;
      }
    }
  }
}

ESPALIER_KERNEL_TEST(Unary, unary, DenormalArguments) {
  const std::vector<float> x = {FLT_MIN / 2, FLT_MIN / 1024, std::numeric_limits<float>::denorm_min()};
  GuardedOutput y(3);
  kernels().unary(UnaryOp::kLog, 0, 0, x.data(), y.data(), 3);
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(y[i], std::log(static_cast<double>(x[i])), 1e-5) << i;
}

}  // namespace
}  // namespace espalier
