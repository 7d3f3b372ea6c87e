#include <cmath>
#include <memory>
#include <vector>

#include "kernel_test.h"
#include "matmul_case.h"
#include "test_buffers.h"

namespace espalier {
namespace {

ESPALIER_KERNEL_SUITE(Taps);

constexpr size_t kTapCounts[] = {0, 1, 2, 9, 25};

// `count` rows of `width` floats, each at the edge of its own page.
struct TapRows {
  TapRows(size_t count, size_t width) {
    for (size_t k = 0; k < count; ++k) {
      rows.push_back(std::make_unique<EdgeBuffer<float>>(RandomValues(width, static_cast<uint32_t>(20 + k))));
      pointers.push_back(rows.back()->data());
    }
  }
  std::vector<std::unique_ptr<EdgeBuffer<float>>> rows;
  std::vector<const float*> pointers;
};

ESPALIER_KERNEL_TEST(Taps, weighted_taps, EveryWidth) {
  for (const size_t count : kTapCounts) {
    const EdgeBuffer<float> weights(RandomValues(count, 15));
    for (size_t width = 0; width <= 140; ++width) {
      const TapRows taps(count, width);
      const EdgeBuffer<float> residual(RandomValues(width, 16));
      for (const bool all : {false, true}) {
        const float bias = all ? 0.25f : 0.0f;
        const float lo = all ? -0.5f : -kNoLimit;
        const float hi = all ? 0.5f : kNoLimit;
        GuardedOutput out(width);
        kernels().weighted_taps(taps.pointers.data(), weights.data(), count, width, out.data(), bias,
                                all ? residual.data() : nullptr, lo, hi);
        out.ExpectGuardsIntact();
        for (size_t i = 0; i < width; ++i) {
          Expected expected;
          expected.AddTerm(bias);
          for (size_t k = 0; k < count; ++k) {
            expected.AddTerm(static_cast<double>(weights.data()[k]) * taps.pointers[k][i]);
          }
          if (all) expected.AddTerm(residual.data()[i]);
          expected.Clamp(lo, hi);
          ASSERT_NEAR(out[i], expected.value, expected.Tolerance())
              << i << " of " << width << ", " << count << " taps";
        }
      }
    }
  }
}

ESPALIER_KERNEL_TEST(Taps, max_taps, EveryWidth) {
  for (const size_t count : kTapCounts) {
    for (size_t width = 0; width <= 140; ++width) {
      const TapRows taps(count, width);
      GuardedOutput out(width);
      kernels().max_taps(taps.pointers.data(), count, width, out.data());
      out.ExpectGuardsIntact();
      for (size_t i = 0; i < width; ++i) {
        float expected = -kNoLimit;
        for (size_t k = 0; k < count; ++k) expected = std::fmax(expected, taps.pointers[k][i]);
        ASSERT_EQ(out[i], expected) << i << " of " << width << ", " << count << " taps";
      }
    }
  }
}

ESPALIER_KERNEL_TEST(Taps, max_taps, NaNPropagates) {
  const std::vector<float> clean(20, 1.0f);
  std::vector<float> dirty(20, 2.0f);
  dirty[4] = std::nanf("");
  for (const bool first : {true, false}) {
    const float* taps[] = {first ? dirty.data() : clean.data(), first ? clean.data() : dirty.data()};
    GuardedOutput out(20);
    kernels().max_taps(taps, 2, 20, out.data());
    for (size_t i = 0; i < 20; ++i) EXPECT_TRUE(i == 4 ? std::isnan(out[i]) : out[i] == 2.0f) << i;
  }
}

}  // namespace
}  // namespace espalier
