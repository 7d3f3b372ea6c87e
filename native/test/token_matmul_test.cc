// Products that are written row-major: token_matmul_block16, and SELL with what finishes its sums.

#include <cmath>
#include <memory>
#include <vector>

#include "kernel_test.h"
#include "matmul_case.h"
#include "runtime/ops/product.h"

namespace espalier {
namespace {

ESPALIER_KERNEL_SUITE(TokenMatmul);

struct Case {
  size_t rows;
  size_t cols;
  size_t width;
  Finish finish;
  size_t tile = 0;  // columns of each panel, a multiple of 16; 0: one panel
};

// A product by all the kernels that a format needs, on panels whose columns are tokens, in either orientation
// (as rows from one panel only).
void CheckCase(const KernelTable& kernels, const Case& c, const std::shared_ptr<const PackedWeights>& packed,
               const std::vector<float>& weights, bool transposed) {
  const size_t panel_stride = c.tile == 0 ? RoundUp(c.width, 16) : c.tile;
  const size_t panels = (c.width + panel_stride - 1) / panel_stride;
  const size_t step = c.cols * panel_stride + 16;
  AlignedBuffer<float> panel(panels * step + kPanelSlack);
  std::fill_n(panel.data(), panel.size(), std::nanf(""));  // read past the width, and dropped
  const std::vector<float> x = RandomValues(c.cols * c.width, 5);
  for (size_t k = 0; k < c.cols; ++k) {
    for (size_t t = 0; t < c.width; ++t)
      panel[t / panel_stride * step + k * panel_stride + t % panel_stride] = x[k * c.width + t];
  }
  const std::vector<uint32_t> panel_rows = PanelRows(c.cols, panel_stride);
  const size_t stride = (transposed ? c.rows : c.width) + 3;
  const size_t lines = transposed ? c.width : c.rows;
  const size_t line = transposed ? c.rows : c.width;
  const EdgeBuffer<float> scale(RandomValues(c.rows, 8));
  const EdgeBuffer<float> bias(RandomValues(c.rows, 6));
  const std::vector<float> residual_values = RandomValues((lines - 1) * (line + 1) + line, 7);
  const EdgeBuffer<float> residual(residual_values);
  const Epilogue epilogue = MakeEpilogue(c.finish, scale.data(), bias.data(), residual.data(), line + 1);

  // Both ways of a panel to say where its rows are.
  const Panel view{panel.data(), panel_rows.data(), c.width % 2 == 0 ? panel_stride : 0};
  const Product product(kernels, packed, 1 + c.width % 3, c.width, panels);
  AlignedBuffer<float> scratch(transposed ? product.tokens_scratch_floats(c.width)
                                          : product.rows_scratch_floats(c.width));
  GuardedOutput out(lines * stride);
  for (size_t part = 0; part < product.parts(); ++part) {
    if (transposed) {
      product.ToTokens(part, Panels{view, c.width, panel_stride, step}, out.data(), stride, epilogue,
                       scratch.data());
    } else {
      product.ToRows(part, view, c.width, out.data(), stride, epilogue, scratch.data());
    }
  }

  out.ExpectGuardsIntact();
  for (size_t i = 0; i < lines; ++i) {
    for (size_t j = 0; j < stride; ++j) {
      const size_t at = i * stride + j;
      if (j >= line) {
        ASSERT_FALSE(out.IsWritten(at)) << "line " << i << " place " << j;
        continue;
      }
      const size_t row = transposed ? j : i;
      const size_t t = transposed ? i : j;
      Expected expected;
      for (size_t k = 0; k < c.cols; ++k) {
        expected.AddTerm(static_cast<double>(weights[row * c.cols + k]) * x[k * c.width + t]);
      }
      FinishExpected(expected, epilogue, row, residual_values[i * (line + 1) + j]);
      ASSERT_NEAR(out[at], expected.value, expected.Tolerance()) << "row " << row << " token " << t;
    }
  }
}

void CheckGrid(const KernelTable& kernels, WeightFormat format, Storage storage) {
  size_t number = 0;
  for (const size_t rows : {1, 4, 15, 16, 17, 33, 70, 530}) {
    for (const size_t cols : {1, 19, 260}) {
      if (rows > 500 && cols > 200) continue;
      for (const double sparsity : {0.0, 0.6, 1.0}) {
        const std::vector<float> weights =
            RoundedToHalf(RandomWeights(rows, cols, sparsity, static_cast<uint32_t>(rows + cols)));
        const auto packed =
            std::make_shared<const PackedWeights>(PackDense(weights, rows, cols, format, storage));
        for (const size_t width : {1, 2, 3, 5, 7, 9, 13, 16, 17, 23, 24, 25, 33, 48, 63, 64, 65, 100}) {
          if (rows > 500 && width % 2 == 0) continue;
          const Case c = {rows, cols, width, static_cast<Finish>(number++ % 4)};
          SCOPED_TRACE(testing::Message()
                       << rows << " x " << cols << " x " << width << ", sparsity " << sparsity);
          CheckCase(kernels, c, packed, weights, true);
          if (format == WeightFormat::kSell) CheckCase(kernels, c, packed, weights, false);
          if (testing::Test::HasFatalFailure()) return;
        }
      }
    }
  }
}

ESPALIER_KERNEL_TEST(TokenMatmul, token_matmul_block16, Dense) {
  CheckGrid(kernels(), WeightFormat::kDense, Storage::kFloat32);
}
ESPALIER_KERNEL_TEST(TokenMatmul, token_matmul_block16, DenseHalf) {
  CheckGrid(kernels(), WeightFormat::kDense, Storage::kFloat16);
}
ESPALIER_KERNEL_TEST(TokenMatmul, token_matmul_block16, Sparse) {
  CheckGrid(kernels(), WeightFormat::kBlock16, Storage::kFloat32);
}
ESPALIER_KERNEL_TEST(TokenMatmul, token_matmul_block16, SparseHalf) {
  CheckGrid(kernels(), WeightFormat::kBlock16, Storage::kFloat16);
}
ESPALIER_KERNEL_TEST(TokenMatmul, panel_matmul_sell, Sparse) {
  CheckGrid(kernels(), WeightFormat::kSell, Storage::kFloat32);
}
ESPALIER_KERNEL_TEST(TokenMatmul, panel_matmul_sell, SparseHalf) {
  CheckGrid(kernels(), WeightFormat::kSell, Storage::kFloat16);
}
ESPALIER_KERNEL_TEST(TokenMatmul, finish_transposed, Block4) {
  CheckGrid(kernels(), WeightFormat::kBlock4, Storage::kFloat32);
}
ESPALIER_KERNEL_TEST(TokenMatmul, finish_transposed, Csr) {
  CheckGrid(kernels(), WeightFormat::kCsr, Storage::kFloat32);
}

// Weights that are cut into blocks of rows and columns, since they are larger than what may wait in cache.
ESPALIER_KERNEL_TEST(TokenMatmul, finish_transposed, SeveralPanels) {
  const size_t cols = 1500;
  for (const WeightFormat format : {WeightFormat::kDense, WeightFormat::kBlock16, WeightFormat::kBlock8,
                                    WeightFormat::kBlock4, WeightFormat::kCsr, WeightFormat::kSell}) {
    for (const size_t rows : {5, 200}) {
      const std::vector<float> weights = RandomWeights(rows, cols, 0.6, 3);
      const auto packed = std::make_shared<const PackedWeights>(PackDense(weights, rows, cols, format));
      SCOPED_TRACE(testing::Message() << NameOf(format) << ", " << rows << " rows");
      CheckCase(kernels(), {rows, cols, 40, Finish::kNone, 16}, packed, weights, true);
      CheckCase(kernels(), {rows, cols, 65, static_cast<Finish>(rows % 4), 64}, packed, weights, true);
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

// Sums at any width: nothing past it is written, and the stride of the sums is no part of the result.
ESPALIER_KERNEL_TEST(TokenMatmul, finish_rows, Widths) {
  for (const size_t width : {1, 3, 15, 16, 17, 31, 40}) {
    const size_t rows = 5;
    AlignedBuffer<float> sums(rows * 48);
    for (size_t i = 0; i < rows * 48; ++i) sums[i] = static_cast<float>(i);
    const std::vector<float> bias = RandomValues(rows, 2);
    GuardedOutput out(rows * (width + 2));
    kernels().finish_rows(sums.data(), 48, rows, width, out.data(), width + 2,
                          MakeEpilogue(Finish::kBias, nullptr, bias.data(), nullptr, 0));
    out.ExpectGuardsIntact();
    for (size_t row = 0; row < rows; ++row) {
      for (size_t t = 0; t < width + 2; ++t) {
        const size_t at = row * (width + 2) + t;
        ASSERT_EQ(out.IsWritten(at), t < width);
        if (t < width) {
          ASSERT_EQ(out[at], sums[row * 48 + t] + bias[row]);
        }
      }
    }
  }
}

}  // namespace
}  // namespace espalier
