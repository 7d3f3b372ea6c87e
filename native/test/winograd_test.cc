#include "formats/winograd.h"

#include <cmath>
#include <vector>

#include "kernel_test.h"
#include "test_buffers.h"

namespace espalier {
namespace {

ESPALIER_KERNEL_SUITE(Winograd);

constexpr size_t kComponents = 36;

size_t Padded(size_t tiles) { return (tiles + 15) / 16 * 16; }

// One channel of input, one filter, tiles side by side: input transform, product, output transform against
// the definition of the convolution.
void CheckOneChannel(const KernelTable& kernels, size_t tiles) {
  const size_t columns = 4 * Padded(tiles) + 4;  // what whole vectors read
  const EdgeBuffer<float> x(RandomValues(6 * columns, 3));
  const EdgeBuffer<float> filter(RandomValues(9, 4));
  const MatrixView view{reinterpret_cast<const uint8_t*>(filter.data()), 36, 1, 9, 0, 9, 1};
  const std::vector<float> u = WinogradFilters(view);  // [36, 16 rows, 1]
  ASSERT_EQ(u.size(), kComponents * 16);
  GuardedOutput v(kComponents * Padded(tiles));
  kernels.winograd_input(x.data(), columns, tiles, v.data(), Padded(tiles));
  v.ExpectGuardsIntact();
  std::vector<float> m(kComponents * Padded(tiles));
  for (size_t k = 0; k < kComponents; ++k) {
    for (size_t t = 0; t < tiles; ++t) m[k * Padded(tiles) + t] = u[k * 16] * v[k * Padded(tiles) + t];
  }
  const size_t width = 4 * Padded(tiles);
  GuardedOutput y(4 * width);
  const EdgeBuffer<float> components(m);
  kernels.winograd_output(components.data(), Padded(tiles), tiles, y.data(), width);
  y.ExpectGuardsIntact();
  for (size_t row = 0; row < 4; ++row) {
    for (size_t column = 0; column < 4 * tiles; ++column) {
      double expected = 0.0;
      for (size_t kh = 0; kh < 3; ++kh) {
        for (size_t kw = 0; kw < 3; ++kw) {
          expected +=
              static_cast<double>(filter.data()[kh * 3 + kw]) * x.data()[(row + kh) * columns + column + kw];
        }
      }
      ASSERT_NEAR(y[row * width + column], expected, 2e-5) << tiles << " tiles, " << row << ", " << column;
    }
  }
}

ESPALIER_KERNEL_TEST(Winograd, winograd_input, ConvolvesWithTheOutputTransform) {
  for (const size_t tiles : {1, 2, 7, 15, 16, 17, 33}) CheckOneChannel(kernels(), tiles);
}

// A component alone, at the point 1.
ESPALIER_KERNEL_TEST(Winograd, winograd_output, OneComponent) {
  std::vector<float> m(kComponents * 16, 0.0f);
  m[7 * 16] = 1.0f;  // component (1, 1): the point 1 in both directions, whose powers are all 1
  GuardedOutput y(4 * 64);
  kernels().winograd_output(m.data(), 16, 1, y.data(), 64);
  for (size_t row = 0; row < 4; ++row) {
    for (size_t column = 0; column < 4; ++column) ASSERT_EQ(y[row * 64 + column], 1.0f);
  }
}

}  // namespace
}  // namespace espalier
