#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>

namespace espalier {

inline constexpr size_t RoundUp(size_t value, size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// Arithmetic on the sizes of a plan, which may be absurd: what does not fit is SIZE_MAX, which no memory has
// room for, where plain arithmetic would wrap around to a small number.
inline size_t MultiplySizes(size_t a, size_t b) {
  size_t product;
  return __builtin_mul_overflow(a, b, &product) ? SIZE_MAX : product;
}

inline size_t AddSizes(size_t a, size_t b) {
  size_t sum;
  return __builtin_add_overflow(a, b, &sum) ? SIZE_MAX : sum;
}

inline size_t MultiplyAll(std::initializer_list<size_t> sizes) {
  size_t product = 1;
  for (size_t size : sizes) product = MultiplySizes(product, size);
  return product;
}

}  // namespace espalier
