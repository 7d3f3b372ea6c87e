#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "kernels/kernel_types.h"
#include "runtime/ops/element_types.h"

namespace espalier {

// Binary operators without a float32 kernel; their codes follow those of BinaryOp.
enum class PlainBinaryOp : int32_t {
  kMod = static_cast<int32_t>(BinaryOp::kCount),  // the result has the sign of b
  kFmod,                                          // the result has the sign of a
  kShiftLeft,
  kShiftRight,
  kBitAnd,
  kBitOr,
  kBitXor,
  kCount
};

enum class CompareOp : int64_t {
  kEqual = 0,
  kLess,
  kGreater,
  kLessOrEqual,
  kGreaterOrEqual,
  kAnd,
  kOr,
  kXor,
  kCount
};

// a to the power of b, which wraps on overflow; a fraction is 0.
template <typename T>
T Power(T a, T b) noexcept {
  if constexpr (std::is_floating_point_v<T>) {
    return std::pow(a, b);
  } else {
    if constexpr (std::is_signed_v<T>) {
      if (b < 0) return a == 1 ? T{1} : a == T(-1) ? static_cast<T>(b % 2 == 0 ? 1 : -1) : T{0};
    }
    using U = WrapType<T>;
    U power = 1;
    // NOLINTBEGIN(bugprone-signed-char-misuse): modulo a power of two the sign makes no difference
    auto rest = static_cast<U>(b);
    auto square = static_cast<U>(a);
    // NOLINTEND(bugprone-signed-char-misuse)
    for (; rest != 0; square *= square, rest /= 2) {
      if (rest % 2 != 0) power *= square;
    }
    return static_cast<T>(power);
  }
}

// ONNX leaves division by zero open for integers: 0, as nothing may end the process.
template <typename T>
T Divide(T a, T b) noexcept {
  if constexpr (std::is_floating_point_v<T>) {
    return a / b;
  } else {
    if (b == 0) return T{0};
    if constexpr (std::is_signed_v<T>) {
      if (b == T(-1)) return static_cast<T>(WrapType<T>{0} - static_cast<WrapType<T>>(a));
    }
    return static_cast<T>(a / b);
  }
}

// With the sign of a.
template <typename T>
T Remainder(T a, T b) noexcept {
  if constexpr (std::is_floating_point_v<T>) {
    return std::fmod(a, b);
  } else {
    if (b == 0) return T{0};
    if constexpr (std::is_signed_v<T>) {
      if (b == T(-1)) return T{0};
    }
    return static_cast<T>(a % b);
  }
}

// With the sign of b, as Python's %.
template <typename T>
T Modulo(T a, T b) noexcept {
  const T remainder = Remainder(a, b);
  if (remainder == T{0} || (remainder < T{0}) == (b < T{0})) return remainder;
  return static_cast<T>(remainder + b);
}

// The operators on bits, of integers alone: the factory sees to that.
template <typename T>
T ApplyToBits(PlainBinaryOp op, T a, T b) noexcept {
  if constexpr (std::is_integral_v<T>) {
    using U = WrapType<T>;
    const bool fits = static_cast<uint64_t>(b) < 8 * sizeof(T);
    switch (op) {
      case PlainBinaryOp::kShiftLeft:
        return fits ? static_cast<T>(static_cast<U>(a) << b) : T{0};
      case PlainBinaryOp::kShiftRight:
        return fits ? static_cast<T>(a >> b) : T{0};
      case PlainBinaryOp::kBitAnd:
        return static_cast<T>(a & b);
      case PlainBinaryOp::kBitOr:
        return static_cast<T>(a | b);
      case PlainBinaryOp::kBitXor:
        return static_cast<T>(a ^ b);
      default:
        break;
    }
  }
  return T{0};
}

// One element of any type; integers wrap on overflow, and NaN wins in kMin and kMax.
template <typename T>
T Apply(BinaryOp op, T a, T b) noexcept {
  using U = WrapType<T>;
  switch (op) {
    case BinaryOp::kAdd:
      return static_cast<T>(static_cast<U>(a) + static_cast<U>(b));
    case BinaryOp::kSub:
      return static_cast<T>(static_cast<U>(a) - static_cast<U>(b));
    case BinaryOp::kMul:
      return static_cast<T>(static_cast<U>(a) * static_cast<U>(b));
    case BinaryOp::kDiv:
      return Divide(a, b);
    case BinaryOp::kMin:
      return a < b || IsNotANumber(a) ? a : b;
    case BinaryOp::kMax:
      return a > b || IsNotANumber(a) ? a : b;
    case BinaryOp::kPow:
      return Power(a, b);
    case BinaryOp::kPRelu:
      return a < T{0} ? static_cast<T>(static_cast<U>(a) * static_cast<U>(b)) : a;
    case BinaryOp::kCount:
      break;
  }
  const auto plain = static_cast<PlainBinaryOp>(op);
  if (plain == PlainBinaryOp::kMod) return Modulo(a, b);
  return plain == PlainBinaryOp::kFmod ? Remainder(a, b) : ApplyToBits(plain, a, b);
}

template <typename T>
bool Compare(CompareOp op, T a, T b) noexcept {
  switch (op) {
    case CompareOp::kEqual:
      return a == b;
    case CompareOp::kLess:
      return a < b;
    case CompareOp::kGreater:
      return a > b;
    case CompareOp::kLessOrEqual:
      return a <= b;
    case CompareOp::kGreaterOrEqual:
      return a >= b;
    case CompareOp::kAnd:
      return a != T{0} && b != T{0};
    case CompareOp::kOr:
      return a != T{0} || b != T{0};
    default:
      return (a != T{0}) != (b != T{0});
  }
}

}  // namespace espalier
