#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/aligned_buffer.h"
#include "kernel_test.h"
#include "test_buffers.h"

namespace espalier {
namespace {

ESPALIER_KERNEL_SUITE(Normalize);

constexpr size_t kLengths[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 48, 49, 100, 1000};

std::vector<float> Row(size_t n, float scale, float shift) {
  std::vector<float> x = RandomValues(n, 11);
  for (float& value : x) value = value * scale + shift;
  return x;
}

ESPALIER_KERNEL_TEST(Normalize, softmax, EveryLength) {
  for (const size_t n : kLengths) {
    for (const float scale : {0.0f, 1.0f, 30.0f}) {
      for (const float shift : {0.0f, 1000.0f, -1000.0f}) {
        const std::vector<float> values = Row(n, scale, shift);
        const EdgeBuffer<float> x(values);
        const double max = *std::max_element(values.begin(), values.end());
        double sum = 0;
        for (const float value : values) sum += std::exp(value - max);
        GuardedOutput y(n);
        kernels().softmax(x.data(), y.data(), n);
        y.ExpectGuardsIntact();
        GuardedOutput in_place(n);
        in_place.Fill(values);
        kernels().softmax(in_place.data(), in_place.data(), n);
        in_place.ExpectGuardsIntact();
        for (size_t i = 0; i < n; ++i) {
          const double expected = std::exp(values[i] - max) / sum;
          // The rounding of x - max, half a unit of it, becomes a relative error of its exponential.
          const double relative = 1e-6 + 6e-8 * (max - values[i]);
          EXPECT_NEAR(y[i], expected, relative * expected + 1e-37) << i << " of " << n;
          EXPECT_EQ(y[i], in_place[i]);
        }
      }
    }
  }
}

ESPALIER_KERNEL_TEST(Normalize, softmax, MaskedPositionsAreZero) {
  std::vector<float> x(20, -std::numeric_limits<float>::infinity());
  x[3] = 1.0f;
  x[19] = 1.0f;
  std::vector<float> y(20);
  kernels().softmax(x.data(), y.data(), 20);
  for (size_t i = 0; i < 20; ++i) EXPECT_EQ(y[i], i == 3 || i == 19 ? 0.5f : 0.0f) << i;
  x[7] = std::nanf("");
  kernels().softmax(x.data(), y.data(), 20);
  for (const float value : y) EXPECT_TRUE(std::isnan(value));
}

// Blocks of keys one after the other give what one softmax over all of them gives; query 3 sees none of the
// first block, query 4 no key at all.
ESPALIER_KERNEL_TEST(Normalize, online_softmax, BlocksOfEveryLength) {
  constexpr size_t kStride = 48;
  constexpr float kHidden = -std::numeric_limits<float>::infinity();
  for (const size_t keys : {1, 2, 3, 4, 5, 8, 9, 17}) {
    std::vector<float> scores = RandomValues(3 * keys * kStride, 21);
    for (float& value : scores) value *= 20.0f;
    for (size_t key = 0; key < 3 * keys; ++key) {
      if (key < keys) scores[key * kStride + 3] = kHidden;
      scores[key * kStride + 4] = kHidden;
    }
    AlignedBuffer<float> max(kStride);
    AlignedBuffer<float> sum(kStride);
    AlignedBuffer<float> factor(kStride);
    std::fill_n(max.data(), kStride, -std::numeric_limits<float>::max());
    std::vector<double> weights(3 * keys * kStride);  // after each block: relative to the largest so far
    for (size_t block = 0; block < 3; ++block) {
      GuardedOutput own(keys * kStride);
      own.Fill({scores.begin() + block * keys * kStride, scores.begin() + (block + 1) * keys * kStride});
      kernels().online_softmax(own.data(), keys, kStride, kStride, max.data(), sum.data(), factor.data());
      own.ExpectGuardsIntact();
      for (size_t i = 0; i < block * keys * kStride; ++i)
        weights[i] *= static_cast<double>(factor.data()[i % kStride]);
      for (size_t i = 0; i < keys * kStride; ++i) weights[block * keys * kStride + i] = own[i];
    }
    for (size_t t = 0; t < kStride; ++t) {
      double largest = -std::numeric_limits<double>::infinity();
      for (size_t key = 0; key < 3 * keys; ++key)
        largest = std::max<double>(largest, scores[key * kStride + t]);
      double total = 0;
      for (size_t key = 0; key < 3 * keys; ++key) {
        const double score = scores[key * kStride + t];
        const double expected = std::isinf(score) ? 0 : std::exp(score - largest);
        total += expected;
        // Rounding of the difference, in each of up to three factors.
        EXPECT_NEAR(weights[key * kStride + t], expected, 3e-6 * expected + 1e-30) << key << " " << t;
      }
      EXPECT_NEAR(sum.data()[t], total, 5e-6 * total) << t;
      if (t == 4) continue;  // nothing is seen, and the largest stays the finite start
      EXPECT_EQ(max.data()[t], static_cast<float>(largest));
    }
  }
}

ESPALIER_KERNEL_TEST(Normalize, layer_norm, EveryLength) {
  const float epsilon = 1e-5f;
  for (const size_t n : kLengths) {
    for (const float shift : {0.0f, 100.0f}) {
      for (int with = 0; with < 4; ++with) {
        const std::vector<float> values = Row(n, 2.0f, shift);
        const EdgeBuffer<float> x(values);
        const EdgeBuffer<float> scale(RandomValues(n, 12));
        const EdgeBuffer<float> bias(RandomValues(n, 13));
        double mean = 0;
        double variance = 0;
        for (const float value : values) mean += value / static_cast<double>(n);
        for (const float value : values) variance += (value - mean) * (value - mean) / static_cast<double>(n);
        const float* scales = with & 1 ? scale.data() : nullptr;
        const float* biases = with & 2 ? bias.data() : nullptr;
        GuardedOutput y(n);
        kernels().layer_norm(x.data(), scales, biases, epsilon, y.data(), n);
        y.ExpectGuardsIntact();
        GuardedOutput in_place(n);
        in_place.Fill(values);
        kernels().layer_norm(in_place.data(), scales, biases, epsilon, in_place.data(), n);
        in_place.ExpectGuardsIntact();
        // The mean carries a rounding error of its own magnitude, which the division by the deviation
        // magnifies.
        const double deviation = std::sqrt(variance + epsilon);
        const double tolerance = 2e-6 + 2e-7 * std::fabs(mean) / deviation;
        for (size_t i = 0; i < n; ++i) {
          double expected = (values[i] - mean) / deviation;
          if (scales != nullptr) expected *= scales[i];
          if (biases != nullptr) expected += biases[i];
          EXPECT_NEAR(y[i], expected, tolerance) << i << " of " << n;
          EXPECT_EQ(y[i], in_place[i]);
        }
      }
    }
  }
}

}  // namespace
}  // namespace espalier
