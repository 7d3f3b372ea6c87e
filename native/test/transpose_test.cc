#include <vector>

#include "kernel_test.h"
#include "test_buffers.h"

namespace espalier {
namespace {

ESPALIER_KERNEL_SUITE(Transpose);

ESPALIER_KERNEL_TEST(Transpose, transpose, EveryShape) {
  const size_t sizes[] = {1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 23, 31, 32, 33, 40, 65};
  for (const size_t rows : sizes) {
    for (const size_t cols : sizes) {
      for (const size_t gap : {0, 3}) {
        const size_t x_stride = cols + gap;
        const size_t y_stride = rows + gap;
        const std::vector<float> values = RandomValues((rows - 1) * x_stride + cols, 17);
        const EdgeBuffer<float> x(values);
        GuardedOutput y((cols - 1) * y_stride + rows);
        kernels().transpose(x.data(), x_stride, rows, cols, y.data(), y_stride);
        y.ExpectGuardsIntact();
        for (size_t c = 0; c < cols; ++c) {
          for (size_t r = 0; r < rows; ++r) {
            ASSERT_EQ(y[c * y_stride + r], values[r * x_stride + c])
                << rows << " x " << cols << " at " << r << ", " << c;
          }
          for (size_t r = rows; r < y_stride && c + 1 < cols; ++r) {
            ASSERT_FALSE(y.IsWritten(c * y_stride + r)) << rows << " x " << cols << " past row " << c;
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace espalier
