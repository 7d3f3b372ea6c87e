// The words of the Vec vocabulary that no kernel pins down, on every instruction set of this build.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "kernel_test.h"
#include "kernels/macros.h"
#include "runtime/denormals.h"
#include "test_buffers.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

// Every foreign header is above, as in native/isa.
// Each file uses the names of the one before.
// clang-format off
namespace espalier {
namespace scalar {
namespace {
#include "kernels/vec_scalar.h"
#include "vec_probes-inl.h"
}  // namespace
}  // namespace scalar
}  // namespace espalier

#if defined(__x86_64__)

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")
#endif
namespace espalier {
namespace avx2 {
namespace {
#include "kernels/x86-inl.h"
#include "kernels/vec_avx2.h"
#include "vec_probes-inl.h"
}  // namespace
}  // namespace avx2
}  // namespace espalier
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c"))), \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")
// See isa/avx512.cc.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
namespace espalier {
namespace avx512 {
namespace {
#include "kernels/x86-inl.h"
#include "kernels/vec_avx512.h"
#include "vec_probes-inl.h"
}  // namespace
}  // namespace avx512
}  // namespace espalier
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC diagnostic pop
#pragma GCC pop_options
#endif

#elif defined(__aarch64__)

namespace espalier {
namespace neon {
namespace {
#include "kernels/vec_neon.h"
#include "vec_probes-inl.h"
}  // namespace
}  // namespace neon
}  // namespace espalier

#endif
// clang-format on

namespace espalier {
namespace {

struct VecProbes {
  const char* isa;
  size_t lanes;
  void (*load_half)(const uint16_t* x, float* y, size_t n);
  void (*limits)(const float* limit, const float* x, float* y);
  void (*comparisons)(const float* a, const float* b, float* y);
  void (*first_lanes)(const float* x, size_t n, const float* yes, const float* no, float* y);
  void (*store_n)(const float* x, size_t n, float* y);
  size_t (*swap_lanes)(const float* x, float* y);
};

#define ESPALIER_PROBES(isa)                                                             \
  {                                                                                      \
#isa, isa::kProbeLanes, isa::ProbeLoadHalf, isa::ProbeLimits, isa::ProbeComparisons, \
        isa::ProbeFirstLanes, isa::ProbeStoreN, isa::ProbeSwapLanes                      \
  }
const VecProbes kProbes[] = {
    ESPALIER_PROBES(scalar),
#if defined(__x86_64__)
    ESPALIER_PROBES(avx2),
    ESPALIER_PROBES(avx512),
#elif defined(__aarch64__)
    ESPALIER_PROBES(neon),
#endif
};
#undef ESPALIER_PROBES

class VecTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    for (const VecProbes& probes : kProbes) {
      if (GetParam() == probes.isa) probes_ = &probes;
    }
    ASSERT_NE(probes_, nullptr) << GetParam() << " has no probes";
  }
  const VecProbes& probes() const { return *probes_; }

 private:
  const VecProbes* probes_ = nullptr;
};
INSTANTIATE_TEST_SUITE_P(Isa, VecTest, testing::Values(ESPALIER_TEST_ISAS),
                         [](const auto& parameter) { return parameter.param; });

uint32_t BitsOf(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  return bits;
}

// The value of a half-precision number as IEEE 754 defines it; a NaN keeps its sign and payload, and is
// quiet.
uint32_t WidenedBits(uint16_t half) {
  const uint32_t sign = half >> 15;
  const int exponent = half >> 10 & 31;
  const uint32_t fraction = half & 1023u;
  if (exponent == 31) return sign << 31 | 255u << 23 | fraction << 13 | (fraction != 0 ? 1u << 22 : 0u);
  const double magnitude =
      exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  return sign << 31 | BitsOf(static_cast<float>(magnitude));
}

void LoadEveryHalf(const VecProbes& probes, std::vector<float>* y) {
  std::vector<uint16_t> x(y->size());
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<uint16_t>(i);
  probes.load_half(x.data(), y->data(), x.size());
}

TEST_P(VecTest, LoadHalfWidensEveryNumber) {
  std::vector<float> y(65536);
  LoadEveryHalf(probes(), &y);
  for (size_t i = 0; i < y.size(); ++i) {
    ASSERT_EQ(BitsOf(y[i]), WidenedBits(static_cast<uint16_t>(i))) << "half-precision number " << i;
  }
}

TEST_P(VecTest, LoadHalfKeepsSubnormalsWhileDenormalsAreFlushed) {
  std::vector<float> y(65536);
  {
    const FlushDenormals flush;
    LoadEveryHalf(probes(), &y);
  }
  for (size_t i = 0; i < y.size(); ++i) {
    ASSERT_EQ(BitsOf(y[i]), WidenedBits(static_cast<uint16_t>(i))) << "half-precision number " << i;
  }
}

TEST_P(VecTest, LoadHalfReadsFromAnyAlignment) {
  std::vector<uint16_t> x(33);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<uint16_t>(0x3c00u + i);  // 1 + i / 1024
  std::vector<float> y(33);
  probes().load_half(x.data() + 1, y.data() + 1, 32);
  for (size_t i = 1; i < x.size(); ++i) ASSERT_EQ(y[i], 1.0f + static_cast<float>(i) / 1024.0f) << i;
}

// Numbers that comparisons treat in a way of their own, and some that they do not.
std::vector<float> Awkward() {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  return {0.0f, -0.0f, 1.0f, -1.0f, kInf, -kInf, std::nanf(""), -std::nanf(""), std::nanf("7"), 1e-40f};
}

TEST_P(VecTest, MinAndMaxPassNaNOfTheSecondOperandThrough) {
  const size_t lanes = probes().lanes;
  for (const float limit : Awkward()) {
    for (const float x : Awkward()) {
      std::vector<float> y(2 * lanes);
      probes().limits(std::vector<float>(lanes, limit).data(), std::vector<float>(lanes, x).data(), y.data());
      for (size_t i = 0; i < lanes; ++i) {
        EXPECT_EQ(BitsOf(y[i]), BitsOf(limit < x ? limit : x)) << "Min(" << limit << ", " << x << ")";
        EXPECT_EQ(BitsOf(y[lanes + i]), BitsOf(limit > x ? limit : x)) << "Max(" << limit << ", " << x << ")";
      }
    }
  }
}

TEST_P(VecTest, ComparisonsWithNaNAreFalse) {
  const size_t lanes = probes().lanes;
  for (const float a : Awkward()) {
    for (const float b : Awkward()) {
      std::vector<float> y(3 * lanes);
      probes().comparisons(std::vector<float>(lanes, a).data(), std::vector<float>(lanes, b).data(),
                           y.data());
      for (size_t i = 0; i < lanes; ++i) {
        EXPECT_EQ(y[i], a < b ? 1.0f : 0.0f) << a << " < " << b;
        EXPECT_EQ(y[lanes + i], a == b ? 1.0f : 0.0f) << a << " == " << b;
        EXPECT_EQ(y[2 * lanes + i], std::isnan(a) ? 1.0f : 0.0f) << a;
      }
    }
  }
}

TEST_P(VecTest, FirstLanes) {
  const size_t lanes = probes().lanes;
  const std::vector<float> yes = RandomValues(lanes, 1);
  const std::vector<float> no = RandomValues(lanes, 2);
  for (size_t n = 0; n <= lanes; ++n) {
    const std::vector<float> values = RandomValues(n, 3);
    const EdgeBuffer<float> x(values);  // what is past it cannot be read
    std::vector<float> y(3 * lanes);
    probes().first_lanes(x.data(), n, yes.data(), no.data(), y.data());
    GuardedOutput stored(n);
    probes().store_n(yes.data(), n, stored.data());
    stored.ExpectGuardsIntact();
    for (size_t i = 0; i < lanes; ++i) {
      EXPECT_EQ(y[i], i < n ? values[i] : 0.0f) << "LoadN " << n << " at " << i;
      EXPECT_EQ(y[lanes + i], i < n ? yes[i] : 0.0f) << "KeepN " << n << " at " << i;
      EXPECT_EQ(y[2 * lanes + i], i < n ? yes[i] : no[i]) << "SelectN " << n << " at " << i;
    }
    for (size_t i = 0; i < n; ++i) EXPECT_EQ(stored[i], yes[i]) << "StoreN " << n << " at " << i;
  }
}

TEST_P(VecTest, SwapLanes) {
  const size_t lanes = probes().lanes;
  const std::vector<float> x = RandomValues(lanes, 4);
  std::vector<float> y(4 * lanes);
  const size_t count = probes().swap_lanes(x.data(), y.data());
  EXPECT_EQ(size_t{1} << count, lanes);
  for (size_t k = 0; k < count; ++k) {
    for (size_t i = 0; i < lanes; ++i) EXPECT_EQ(y[k * lanes + i], x[i ^ (size_t{1} << k)]) << k << ", " << i;
  }
}

}  // namespace
}  // namespace espalier
