#include <cmath>
#include <vector>

#include "kernel_test.h"
#include "matmul_case.h"
#include "runtime/ops/product.h"

namespace espalier {
namespace {

ESPALIER_KERNEL_SUITE(PanelMatmul);

struct Case {
  size_t rows;
  size_t cols;
  size_t width;
  size_t row_begin;
  Finish finish;
};

// run(row_begin, row_end, panel, out, out_stride, epilogue)
template <typename Run>
void CheckCase(const Case& c, const std::vector<float>& weights, const Run& run) {
  // Rows of the panel in reverse order, at any alignment, and NaN wherever a kernel may read but must not
  // care.
  const size_t panel_stride = c.width + 17;
  std::vector<float> panel(c.cols * panel_stride + 64, std::nanf(""));
  std::vector<uint32_t> panel_rows;
  const std::vector<float> x = RandomValues(c.cols * c.width, 5);
  for (size_t k = 0; k < c.cols; ++k) {
    const size_t start = (c.cols - 1 - k) * panel_stride;
    panel_rows.push_back(static_cast<uint32_t>(start));
    for (size_t t = 0; t < c.width; ++t) panel[start + t] = x[k * c.width + t];
  }
  const size_t stride = c.width + 3;
  const EdgeBuffer<float> bias(RandomValues(c.rows, 6));
  const std::vector<float> residual_values = RandomValues((c.rows - 1) * (c.width + 1) + c.width, 7);
  const EdgeBuffer<float> residual(residual_values);
  const EdgeBuffer<float> scale(RandomValues(c.rows, 8));
  const Epilogue epilogue = MakeEpilogue(c.finish, scale.data(), bias.data(), residual.data(), c.width + 1);
  GuardedOutput out(c.rows * stride);
  run(c.row_begin, c.rows, Panel{panel.data(), panel_rows.data(), 0}, out.data(), stride, epilogue);

  out.ExpectGuardsIntact();
  for (size_t row = 0; row < c.rows; ++row) {
    for (size_t t = 0; t < stride; ++t) {
      const size_t at = row * stride + t;
      if (row < c.row_begin || t >= c.width) {
        ASSERT_FALSE(out.IsWritten(at)) << "row " << row << " column " << t;
        continue;
      }
      Expected expected;
      for (size_t k = 0; k < c.cols; ++k) {
        expected.AddTerm(static_cast<double>(weights[row * c.cols + k]) * x[k * c.width + t]);
      }
      FinishExpected(expected, epilogue, row, residual_values[row * (c.width + 1) + t]);
      ASSERT_NEAR(out[at], expected.value, expected.Tolerance()) << "row " << row << " column " << t;
    }
  }
}

// make_run(packed) gives the run of CheckCase.
template <typename MakeRun>
void CheckGrid(WeightFormat format, Storage storage, size_t row_step, const MakeRun& make_run) {
  size_t number = 0;
  for (const size_t rows : {1, 3, 4, 5, 8, 9, 15, 16, 17, 33}) {
    for (const size_t cols : {1, 2, 19, 130}) {
      for (const double sparsity : {0.0, 0.5, 0.9, 1.0}) {
        const std::vector<float> weights =
            RoundedToHalf(RandomWeights(rows, cols, sparsity, static_cast<uint32_t>(rows + cols)));
        const PackedWeights packed = PackDense(weights, rows, cols, format, storage);
        const auto run = make_run(packed);
        for (const size_t width :
             {1, 7, 8, 9, 15, 16, 17, 24, 31, 33, 47, 48, 49, 64, 80, 97, 112, 128, 129, 160}) {
          const Case c = {rows, cols, width, number % 3 == 0 && rows > row_step ? row_step : 0,
                          static_cast<Finish>(number % 4)};
          ++number;
          SCOPED_TRACE(testing::Message() << rows << " x " << cols << " x " << width << ", sparsity "
                                          << sparsity << ", from row " << c.row_begin);
          CheckCase(c, weights, run);
          if (testing::Test::HasFatalFailure()) return;
        }
      }
    }
  }
}

auto BlockRun(PanelBlockMatmul kernel) {
  return [kernel](const PackedWeights& packed) {
    return [kernel, w = packed.block()](size_t row_begin, size_t row_end, const Panel& panel, float* out,
                                        size_t out_stride, const Epilogue& e) {
      kernel(w, row_begin, row_end, panel, out_stride - 3, out, out_stride, e);
    };
  };
}

ESPALIER_KERNEL_TEST(PanelMatmul, panel_matmul_block16, Dense) {
  CheckGrid(WeightFormat::kDense, Storage::kFloat32, 16, BlockRun(kernels().panel_matmul_block16));
}
ESPALIER_KERNEL_TEST(PanelMatmul, panel_matmul_block16, DenseHalf) {
  CheckGrid(WeightFormat::kDense, Storage::kFloat16, 16, BlockRun(kernels().panel_matmul_block16));
}
ESPALIER_KERNEL_TEST(PanelMatmul, panel_matmul_block16, Sparse) {
  CheckGrid(WeightFormat::kBlock16, Storage::kFloat32, 16, BlockRun(kernels().panel_matmul_block16));
}
ESPALIER_KERNEL_TEST(PanelMatmul, panel_matmul_block16, SparseHalf) {
  CheckGrid(WeightFormat::kBlock16, Storage::kFloat16, 16, BlockRun(kernels().panel_matmul_block16));
}
ESPALIER_KERNEL_TEST(PanelMatmul, panel_matmul_block8, Sparse) {
  CheckGrid(WeightFormat::kBlock8, Storage::kFloat32, 16, BlockRun(kernels().panel_matmul_block8));
}
ESPALIER_KERNEL_TEST(PanelMatmul, panel_matmul_block8, SparseHalf) {
  CheckGrid(WeightFormat::kBlock8, Storage::kFloat16, 16, BlockRun(kernels().panel_matmul_block8));
}
ESPALIER_KERNEL_TEST(PanelMatmul, panel_matmul_block4, Sparse) {
  CheckGrid(WeightFormat::kBlock4, Storage::kFloat32, 16, BlockRun(kernels().panel_matmul_block4));
}
ESPALIER_KERNEL_TEST(PanelMatmul, panel_matmul_block4, SparseHalf) {
  CheckGrid(WeightFormat::kBlock4, Storage::kFloat16, 16, BlockRun(kernels().panel_matmul_block4));
}
ESPALIER_KERNEL_TEST(PanelMatmul, panel_matmul_csr, Sparse) {
  CheckGrid(WeightFormat::kCsr, Storage::kFloat32, 1, [this](const PackedWeights& packed) {
    return
        [kernel = kernels().panel_matmul_csr, w = packed.csr()](
            size_t row_begin, size_t row_end, const Panel& panel, float* out, size_t out_stride,
            const Epilogue& e) { kernel(w, row_begin, row_end, panel, out_stride - 3, out, out_stride, e); };
  });
}

// A row range that ends before the matrix does: the rows after it belong to another thread.
ESPALIER_KERNEL_TEST(PanelMatmul, panel_matmul_block4, RowRange) {
  const size_t rows = 48;
  const size_t cols = 9;
  const std::vector<float> weights = RandomWeights(rows, cols, 0.3, 1);
  AlignedBuffer<float> values(cols * 16);
  const std::vector<uint32_t> panel_rows = PanelRows(cols, 16);
  const Panel panel{values.data(), panel_rows.data(), 0};
  for (const WeightFormat format : {WeightFormat::kDense, WeightFormat::kBlock16, WeightFormat::kBlock8,
                                    WeightFormat::kBlock4, WeightFormat::kCsr}) {
    const PackedWeights packed = PackDense(weights, rows, cols, format);
    const Epilogue none = MakeEpilogue(Finish::kNone, nullptr, nullptr, nullptr, 0);
    GuardedOutput out(rows * 16);
    if (format == WeightFormat::kCsr) {
      kernels().panel_matmul_csr(packed.csr(), 16, 32, panel, 16, out.data(), 16, none);
    } else {
      const auto kernel = format == WeightFormat::kBlock4   ? kernels().panel_matmul_block4
                          : format == WeightFormat::kBlock8 ? kernels().panel_matmul_block8
                                                            : kernels().panel_matmul_block16;
      kernel(packed.block(), 16, 32, panel, 16, out.data(), 16, none);
    }
    out.ExpectGuardsIntact();
    for (size_t i = 0; i < rows * 16; ++i) ASSERT_EQ(out.IsWritten(i), i / 16 >= 16 && i / 16 < 32) << i;
  }
}

// NaN in one column of the panel stays in that column, and the clamp does not hide it.
ESPALIER_KERNEL_TEST(PanelMatmul, panel_matmul_csr, NaN) {
  const std::vector<float> weights(2 * 3, 1.0f);
  AlignedBuffer<float> values(3 * 16);
  values[16 + 2] = std::nanf("");
  const std::vector<uint32_t> panel_rows = PanelRows(3, 16);
  const Panel panel{values.data(), panel_rows.data(), 0};
  Epilogue relu6 = MakeEpilogue(Finish::kNone, nullptr, nullptr, nullptr, 0);
  relu6.lo = 0.0f;
  relu6.hi = 6.0f;
  const PackedWeights csr = PackDense(weights, 2, 3, WeightFormat::kCsr);
  const PackedWeights dense = PackDense(weights, 2, 3, WeightFormat::kDense);
  GuardedOutput a(2 * 16);
  GuardedOutput b(2 * 16);
  kernels().panel_matmul_csr(csr.csr(), 0, 2, panel, 16, a.data(), 16, relu6);
  kernels().panel_matmul_block16(dense.block(), 0, 2, panel, 16, b.data(), 16, relu6);
  for (size_t i = 0; i < 32; ++i) {
    EXPECT_EQ(std::isnan(a[i]), i % 16 == 2) << i;
    EXPECT_EQ(std::isnan(b[i]), i % 16 == 2) << i;
  }
}

}  // namespace
}  // namespace espalier
