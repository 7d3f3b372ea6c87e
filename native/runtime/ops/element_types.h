#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "runtime/tensor_ref.h"

namespace espalier {

// What to compute in: floats as they are, integers as unsigned ones of at least 32 bits. Those wrap around,
// where in T an overflow would be undefined, or be promoted to int and then undefined.
template <typename T, bool IsFloat = std::is_floating_point_v<T>>
struct WrapTypeOf {
  using Type = T;
};
template <typename T>
struct WrapTypeOf<T, false> {
  using Type = std::conditional_t<(sizeof(T) < 4), uint32_t, std::make_unsigned_t<T>>;
};
template <typename T>
using WrapType = typename WrapTypeOf<T>::Type;

// Whether VisitType knows the type. 16-bit floats are computed in float32: the compiler casts them.
inline bool IsComputable(DType dtype) { return dtype != DType::kFloat16 && dtype != DType::kBfloat16; }

// Calls visit(T{}) with the type of the elements; bool is uint8_t.
template <typename Visit>
void VisitType(DType dtype, Visit&& visit) noexcept {
  switch (dtype) {
    case DType::kFloat32:
      return visit(float{});
    case DType::kFloat64:
      return visit(double{});
    case DType::kInt8:
      return visit(int8_t{});
    case DType::kInt16:
      return visit(int16_t{});
    case DType::kUint16:
      return visit(uint16_t{});
    case DType::kInt32:
      return visit(int32_t{});
    case DType::kUint32:
      return visit(uint32_t{});
    case DType::kInt64:
      return visit(int64_t{});
    case DType::kUint64:
      return visit(uint64_t{});
    case DType::kUint8:
    case DType::kBool:
      return visit(uint8_t{});
    case DType::kFloat16:
    case DType::kBfloat16:
      return;  // refused when the step was built
  }
}

template <typename T>
bool IsNotANumber([[maybe_unused]] T value) noexcept {
  if constexpr (std::is_floating_point_v<T>) return std::isnan(value);
  return false;
}

}  // namespace espalier
