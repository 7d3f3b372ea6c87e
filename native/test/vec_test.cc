// The words of the Vec vocabulary that no kernel pins down, on every instruction set of this build.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "kernel_test.h"
#include "kernels/macros.h"
#include "runtime/denormals.h"

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
  void (*load_half)(const uint16_t* x, float* y, size_t n);
};

#define ESPALIER_PROBES(isa) \
  { #isa, isa::ProbeLoadHalf }
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

}  // namespace
}  // namespace espalier
