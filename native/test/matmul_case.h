#pragma once

// Random weights and the products they should give, for the panel and vector kernels.

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "core/half.h"
#include "formats/packed_weights.h"
#include "test_buffers.h"

namespace espalier {

// Row-major [rows, cols], zero with probability `sparsity`; row rows / 2 and column cols / 2 are all zero.
inline std::vector<float> RandomWeights(size_t rows, size_t cols, double sparsity, uint32_t seed) {
  std::vector<float> weights = RandomValues(rows * cols, seed);
  const std::vector<float> dice = RandomValues(rows * cols, seed + 77);
  for (size_t i = 0; i < weights.size(); ++i) {
    const bool empty_row = rows > 2 && i / cols == rows / 2;
    const bool empty_col = cols > 2 && i % cols == cols / 2;
    if ((dice[i] + 1.0) / 2.0 < sparsity || empty_row || empty_col) weights[i] = 0.0f;
  }
  return weights;
}

inline PackedWeights PackDense(const std::vector<float>& weights, size_t rows, size_t cols,
                               WeightFormat format, Storage storage = Storage::kFloat32) {
  return PackedWeights::Pack({reinterpret_cast<const uint8_t*>(weights.data()),
                              weights.size() * sizeof(float), rows, cols, 0, cols, 1},
                             format, storage);
}

// The weights as float16 holds them.
inline std::vector<float> RoundedToHalf(std::vector<float> weights) {
  for (float& weight : weights) weight = HalfToFloat(FloatToHalf(weight));
  return weights;
}

constexpr float kNoLimit = std::numeric_limits<float>::infinity();

// A product in double precision, and the tolerance for it: float sums of n terms in any order differ from it
// by a small multiple of the rounding unit (6e-8) times the sum of magnitudes; 1e-6 leaves room for n of a
// few hundred.
struct Expected {
  double value = 0.0;
  double magnitude = 0.0;
  void AddTerm(double term) {
    value += term;
    magnitude += std::fabs(term);
  }
  void Scale(double scale) {
    value *= scale;
    magnitude *= std::fabs(scale);
  }
  void Clamp(double lo, double hi) { value = std::fmin(hi, std::fmax(lo, value)); }
  // x sigmoid(x), whose slope is at most 1.1; the kernel's own error is a few rounding units of its result.
  void Silu() {
    value = value / (1.0 + std::exp(-value));
    magnitude = 1.1 * magnitude + std::fabs(value);
  }
  double Tolerance() const { return 1e-6 * magnitude + 1e-30; }
};

// What a test asks of an epilogue.
enum class Finish { kNone, kBias, kAll, kActivation };

inline Epilogue MakeEpilogue(Finish finish, const float* scale, const float* bias, const float* residual,
                             size_t residual_stride) {
  const bool all = finish == Finish::kAll;
  return {all ? scale : nullptr,
          finish == Finish::kNone ? nullptr : bias,
          all ? residual : nullptr,
          residual_stride,
          all ? -0.75f : -kNoLimit,
          all ? 1.5f : kNoLimit,
          finish == Finish::kActivation ? UnaryOp::kSilu : UnaryOp::kCopy,
          0.0f,
          0.0f};
}

// Applies to a sum what the epilogue says of one element, `residual` being its residual.
inline void FinishExpected(Expected& expected, const Epilogue& e, size_t row, float residual) {
  if (e.scale != nullptr) expected.Scale(e.scale[row]);
  if (e.bias != nullptr) expected.AddTerm(e.bias[row]);
  if (e.residual != nullptr) expected.AddTerm(residual);
  expected.Clamp(e.lo, e.hi);
  if (e.activation == UnaryOp::kSilu) expected.Silu();
}

}  // namespace espalier
