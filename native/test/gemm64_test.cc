#include <cmath>
#include <vector>

#include "kernel_test.h"
#include "test_buffers.h"

namespace espalier {
namespace {

ESPALIER_KERNEL_SUITE(Gemm64);

std::vector<double> Doubles(size_t n, uint32_t seed) {
  const std::vector<float> values = RandomValues(n, seed);
  return {values.begin(), values.end()};
}

// Sums are added in the order of their terms, so the result is exact, not near.
ESPALIER_KERNEL_TEST(Gemm64, gemm_tile64, AddsInOrderToTheBit) {
  for (const size_t depth : {size_t{0}, size_t{1}, size_t{2}, size_t{7}, size_t{64}, size_t{257}}) {
    const EdgeBuffer<double> a(Doubles(depth * kGemmTile, 1));
    const EdgeBuffer<double> b(Doubles(depth * kGemmTile, 2));
    constexpr size_t kStride = 11;
    const std::vector<double> before = Doubles(kGemmTile * kStride, 3);
    EdgeBuffer<double> c(std::vector<double>(before.begin(), before.end() - (kStride - kGemmTile)));
    kernels().gemm_tile64(a.data(), b.data(), depth, c.data(), kStride);
    for (size_t i = 0; i < kGemmTile; ++i) {
      for (size_t j = 0; j < kGemmTile; ++j) {
        double sum = 0;
        for (size_t k = 0; k < depth; ++k) sum += a.data()[k * kGemmTile + i] * b.data()[k * kGemmTile + j];
        EXPECT_EQ(c.data()[i * kStride + j], before[i * kStride + j] + sum) << depth;
      }
      for (size_t j = kGemmTile; i + 1 < kGemmTile && j < kStride; ++j)
        EXPECT_EQ(c.data()[i * kStride + j], before[i * kStride + j]);
    }
  }
}

}  // namespace
}  // namespace espalier
