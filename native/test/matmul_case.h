#pragma once

// Random weights and the products they should give, for the panel and vector kernels.

#include <cmath>
#include <limits>
#include <string>
#include <vector>

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
                               WeightFormat format) {
  return PackedWeights::Pack({reinterpret_cast<const uint8_t*>(weights.data()),
                              weights.size() * sizeof(float), rows, cols, 0, cols, 1},
                             format);
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
  void Clamp(double lo, double hi) { value = std::fmin(hi, std::fmax(lo, value)); }
  double Tolerance() const { return 1e-6 * magnitude + 1e-30; }
};

}  // namespace espalier
