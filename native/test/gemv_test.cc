#include <cmath>
#include <vector>

#include "kernel_test.h"
#include "matmul_case.h"
#include "runtime/ops/product.h"

namespace espalier {
namespace {

ESPALIER_KERNEL_SUITE(Gemv);

// run(packed, row_begin, row_end, x, y, epilogue)
template <typename Run>
void CheckGrid(WeightFormat format, Storage storage, size_t row_step, const Run& run) {
  size_t number = 0;
  for (const size_t rows : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64}) {
    for (const size_t cols : {1, 2, 3, 4, 5, 15, 16, 17, 63, 64, 65, 300}) {
      for (const double sparsity : {0.0, 0.5, 0.9, 1.0}) {
        SCOPED_TRACE(testing::Message() << rows << " x " << cols << ", sparsity " << sparsity);
        const std::vector<float> weights =
            RoundedToHalf(RandomWeights(rows, cols, sparsity, static_cast<uint32_t>(rows + cols)));
        const PackedWeights packed = PackDense(weights, rows, cols, format, storage);
        // ELL reads whole windows: what is there past the end must not matter.
        std::vector<float> values = RandomValues(cols, 3);
        if (format == WeightFormat::kEll) values.resize(cols + Product::kVectorSlack, std::nanf(""));
        const EdgeBuffer<float> x(values);
        const EdgeBuffer<float> bias(RandomValues(rows, 4));
        const EdgeBuffer<float> residual(RandomValues(rows, 5));
        const EdgeBuffer<float> scale(RandomValues(rows, 6));
        const Epilogue epilogue =
            MakeEpilogue(static_cast<Finish>(number % 4), scale.data(), bias.data(), residual.data(), 0);
        const size_t row_begin = number % 3 == 0 && rows > row_step ? row_step : 0;
        ++number;
        GuardedOutput y(rows);
        run(packed, row_begin, rows, x.data(), y.data(), epilogue);

        y.ExpectGuardsIntact();
        for (size_t row = 0; row < rows; ++row) {
          if (row < row_begin) {
            ASSERT_FALSE(y.IsWritten(row)) << "row " << row;
            continue;
          }
          Expected expected;
          for (size_t k = 0; k < cols; ++k) {
            expected.AddTerm(static_cast<double>(weights[row * cols + k]) * x.data()[k]);
          }
          FinishExpected(expected, epilogue, row, residual.data()[row]);
          ASSERT_NEAR(y[row], expected.value, expected.Tolerance()) << "row " << row;
        }
      }
    }
  }
}

auto BlockRun(BlockGemv kernel) {
  return [kernel](const PackedWeights& packed, size_t row_begin, size_t row_end, const float* x, float* y,
                  const Epilogue& e) { kernel(packed.block(), row_begin, row_end, x, y, e); };
}

ESPALIER_KERNEL_TEST(Gemv, gemv_block16, Dense) {
  CheckGrid(WeightFormat::kDense, Storage::kFloat32, 16, BlockRun(kernels().gemv_block16));
}
ESPALIER_KERNEL_TEST(Gemv, gemv_block16, DenseHalf) {
  CheckGrid(WeightFormat::kDense, Storage::kFloat16, 16, BlockRun(kernels().gemv_block16));
}
ESPALIER_KERNEL_TEST(Gemv, gemv_block16, Sparse) {
  CheckGrid(WeightFormat::kBlock16, Storage::kFloat32, 16, BlockRun(kernels().gemv_block16));
}
ESPALIER_KERNEL_TEST(Gemv, gemv_block16, SparseHalf) {
  CheckGrid(WeightFormat::kBlock16, Storage::kFloat16, 16, BlockRun(kernels().gemv_block16));
}
ESPALIER_KERNEL_TEST(Gemv, gemv_block8, Sparse) {
  CheckGrid(WeightFormat::kBlock8, Storage::kFloat32, 16, BlockRun(kernels().gemv_block8));
}
ESPALIER_KERNEL_TEST(Gemv, gemv_block8, SparseHalf) {
  CheckGrid(WeightFormat::kBlock8, Storage::kFloat16, 16, BlockRun(kernels().gemv_block8));
}
ESPALIER_KERNEL_TEST(Gemv, gemv_block4, Sparse) {
  CheckGrid(WeightFormat::kBlock4, Storage::kFloat32, 16, BlockRun(kernels().gemv_block4));
}
ESPALIER_KERNEL_TEST(Gemv, gemv_block4, SparseHalf) {
  CheckGrid(WeightFormat::kBlock4, Storage::kFloat16, 16, BlockRun(kernels().gemv_block4));
}
ESPALIER_KERNEL_TEST(Gemv, gemv_ell, Sparse) {
  CheckGrid(WeightFormat::kEll, Storage::kFloat32, 16,
            [this](const PackedWeights& packed, size_t row_begin, size_t row_end, const float* x, float* y,
                   const Epilogue& e) { kernels().gemv_ell(packed.ell(), row_begin, row_end, x, y, e); });
}
ESPALIER_KERNEL_TEST(Gemv, gemv_ell, SparseHalf) {
  CheckGrid(WeightFormat::kEll, Storage::kFloat16, 16,
            [this](const PackedWeights& packed, size_t row_begin, size_t row_end, const float* x, float* y,
                   const Epilogue& e) { kernels().gemv_ell(packed.ell(), row_begin, row_end, x, y, e); });
}
ESPALIER_KERNEL_TEST(Gemv, gemv_csr, Sparse) {
  CheckGrid(WeightFormat::kCsr, Storage::kFloat32, 1,
            [this](const PackedWeights& packed, size_t row_begin, size_t row_end, const float* x, float* y,
                   const Epilogue& e) { kernels().gemv_csr(packed.csr(), row_begin, row_end, x, y, e); });
}

// An infinity in x must not leak through the padding of a vector into rows that do not use it.
ESPALIER_KERNEL_TEST(Gemv, gemv_block4, InfinityStaysInItsBlocks) {
  for (const size_t cols : {1, 2, 3, 5, 6, 7}) {
    const size_t rows = 8;
    std::vector<float> weights(rows * cols, 0.0f);
    for (size_t row = 0; row < rows; ++row) weights[row * cols + (row < 4 ? 0 : cols - 1)] = 1.0f;
    std::vector<float> x(cols, 1.0f);
    x[cols - 1] = kNoLimit;
    const Epilogue none = MakeEpilogue(Finish::kNone, nullptr, nullptr, nullptr, 0);
    const PackedWeights packed = PackDense(weights, rows, cols, WeightFormat::kBlock4);
    GuardedOutput y(rows);
    kernels().gemv_block4(packed.block(), 0, rows, x.data(), y.data(), none);
    for (size_t row = 0; row < rows; ++row)
      EXPECT_EQ(y[row], x[row < 4 ? 0 : cols - 1]) << row << " of " << cols;
  }
}

}  // namespace
}  // namespace espalier
