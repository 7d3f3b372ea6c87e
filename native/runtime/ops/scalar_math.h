#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "kernels/kernel_types.h"
#include "runtime/ops/element_types.h"

namespace espalier {

// Unary operators without a float32 kernel; their codes follow those of UnaryOp.
enum class PlainUnaryOp : int32_t {
  kSign = static_cast<int32_t>(UnaryOp::kCount),
  kBitNot,
  kSin,
  kCos,
  kTan,
  kAsin,
  kAcos,
  kAtan,
  kSinh,
  kCosh,
  kAsinh,
  kAcosh,
  kAtanh,
  kCount
};

// The operators of UnaryOp that kernels do in float32, in T.
template <typename T>
T EvaluateUnary(UnaryOp op, T x, T alpha, T beta) noexcept {
  const auto sigmoid = [](T v) { return 1 / (1 + std::exp(-v)); };
  const auto softplus = [](T v) { return std::fmax(v, T{0}) + std::log1p(std::exp(-std::fabs(v))); };
  const auto clamp = [](T v, T lo, T hi) { return v < lo ? lo : v > hi ? hi : v; };
  switch (op) {
    case UnaryOp::kAbs:
      return std::fabs(x);
    case UnaryOp::kNeg:
      return -x;
    case UnaryOp::kRelu:
      return x < 0 ? T{0} : x;
    case UnaryOp::kClip:
      return clamp(x, alpha, beta);
    case UnaryOp::kLeakyRelu:
      return x < 0 ? alpha * x : x;
    case UnaryOp::kElu:
      return x < 0 ? alpha * std::expm1(x) : x;
    case UnaryOp::kSelu:
      return x > 0 ? beta * x : beta * alpha * std::expm1(x);
    case UnaryOp::kSigmoid:
      return sigmoid(x);
    case UnaryOp::kHardSigmoid:
      return clamp(alpha * x + beta, 0, 1);
    case UnaryOp::kHardSwish:
      return x * clamp(x / 6 + T{0.5}, 0, 1);
    case UnaryOp::kSilu:
      return x * sigmoid(x);
    case UnaryOp::kTanh:
      return std::tanh(x);
    case UnaryOp::kErf:
      return std::erf(x);
    case UnaryOp::kGeluErf:
      return x / 2 * (1 + std::erf(x * static_cast<T>(0.70710678118654752)));
    case UnaryOp::kGeluTanh:
      return x / 2 *
             (1 +
              std::tanh(static_cast<T>(0.79788456080286536) * (x + static_cast<T>(0.044715) * x * x * x)));
    case UnaryOp::kSoftplus:
      return softplus(x);
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
    case UnaryOp::kCopy:
    case UnaryOp::kCount:
      break;
  }
  return x;
}

template <typename T>
T EvaluatePlain(PlainUnaryOp op, T x) noexcept {
  switch (op) {
    case PlainUnaryOp::kSin:
      return std::sin(x);
    case PlainUnaryOp::kCos:
      return std::cos(x);
    case PlainUnaryOp::kTan:
      return std::tan(x);
    case PlainUnaryOp::kAsin:
      return std::asin(x);
    case PlainUnaryOp::kAcos:
      return std::acos(x);
    case PlainUnaryOp::kAtan:
      return std::atan(x);
    case PlainUnaryOp::kSinh:
      return std::sinh(x);
    case PlainUnaryOp::kCosh:
      return std::cosh(x);
    case PlainUnaryOp::kAsinh:
      return std::asinh(x);
    case PlainUnaryOp::kAcosh:
      return std::acosh(x);
    case PlainUnaryOp::kAtanh:
      return std::atanh(x);
    default:  // kSign: NaN stays what it is
      return x > 0 ? T{1} : x < 0 ? T{-1} : x;
  }
}

// The operators that integers have too.
template <typename T>
T EvaluateInteger(int32_t op, T x) noexcept {
  using U = WrapType<T>;
  switch (op) {
    case static_cast<int32_t>(UnaryOp::kAbs):
      return x < 0 ? static_cast<T>(U{0} - static_cast<U>(x)) : x;
    case static_cast<int32_t>(UnaryOp::kNeg):
      return static_cast<T>(U{0} - static_cast<U>(x));
    case static_cast<int32_t>(UnaryOp::kRelu):
      return x < 0 ? T{0} : x;
    case static_cast<int32_t>(PlainUnaryOp::kBitNot):
      return static_cast<T>(~x);
    default:  // kSign
      return static_cast<T>((x > 0 ? 1 : 0) - (x < 0 ? 1 : 0));
  }
}

inline bool HasIntegerForm(int32_t op) {
  return op == static_cast<int32_t>(UnaryOp::kAbs) || op == static_cast<int32_t>(UnaryOp::kNeg) ||
         op == static_cast<int32_t>(UnaryOp::kRelu) || op == static_cast<int32_t>(PlainUnaryOp::kBitNot) ||
         op == static_cast<int32_t>(PlainUnaryOp::kSign);
}

}  // namespace espalier
