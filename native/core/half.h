#pragma once

#include <cstdint>
#include <cstring>

namespace espalier {

// IEEE half precision, rounded to nearest, ties to even; what is too large becomes infinity.
inline uint16_t FloatToHalf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  const auto sign = static_cast<uint16_t>((bits >> 16) & 0x8000);
  const uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return static_cast<uint16_t>(sign | 0x7e00);   // NaN
  if (magnitude >= 0x477ff000) return static_cast<uint16_t>(sign | 0x7c00);  // 65520 and more
  if (magnitude < 0x33000001) return sign;                                   // 2^-25 and less
  if (magnitude < 0x38800000) {                                              // a subnormal half
    const uint32_t shift = 126 - (magnitude >> 23);
    const uint32_t mantissa = (magnitude & 0x7fffff) | 0x800000;
    const uint32_t half = mantissa >> shift;
    const uint32_t rest = mantissa & ((1u << shift) - 1);
    const uint32_t middle = 1u << (shift - 1);
    const uint32_t up = rest > middle || (rest == middle && (half & 1) != 0) ? 1 : 0;
    return static_cast<uint16_t>(sign | (half + up));
  }
  const uint32_t rebased = magnitude - 0x38000000;  // the exponent's bias is 127 there and 15 here
  const uint32_t up = 0xfff + ((rebased >> 13) & 1);
  return static_cast<uint16_t>(sign | ((rebased + up) >> 13));
}

inline float HalfToFloat(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  const uint32_t exponent = (half >> 10) & 0x1f;
  const uint32_t mantissa = half & 0x3ff;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(mantissa) * (1.0f / (1 << 24));
    return sign == 0 ? magnitude : -magnitude;
  }
  const uint32_t bits = sign | (exponent == 0x1f ? 0x7f800000 : (exponent + 112) << 23) | (mantissa << 13);
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

// bfloat16, the upper half of a float, rounded to nearest, ties to even.
inline uint16_t FloatToBfloat(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  if ((bits & 0x7fffffff) > 0x7f800000) return 0x7fc0;  // NaN
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

inline float BfloatToFloat(uint16_t bfloat) {
  const uint32_t bits = static_cast<uint32_t>(bfloat) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

}  // namespace espalier
