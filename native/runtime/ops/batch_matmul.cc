// y[b] [m, n] = a[b] [m, k] * b[b] [k, n], both operands computed at run time (attention, Gemm without
// constants). ints: "m", "k", "n", "a_offsets" and "b_offsets": for each of the output's matrices, in order,
// where its operands start (elements; broadcasting repeats them); "transpose_a", "transpose_b": a is stored
// [k, m], b is stored [n, k]. floats: "alpha" scales the product.

#include <algorithm>

#include "runtime/ops/batched_product.h"
#include "runtime/ops/factories.h"
#include "runtime/ops/product.h"

namespace espalier {
namespace {

constexpr size_t kRowBlock = 16;

class BatchMatmul final : public BatchedProduct {
 public:
  BatchMatmul(const StepSpec& spec, const BuildContext& build)
      : BatchedProduct(spec, build),
        kernels_(build.kernels),
        transpose_a_(spec.Int("transpose_a", 0) != 0),
        transpose_b_(spec.Int("transpose_b", 0) != 0),
        alpha_(static_cast<float>(spec.Float("alpha", 1))) {
    spec.ExpectFloat32();
    const size_t row_blocks = (m_ + kRowBlock - 1) / kRowBlock;
    row_parts_ = batch() >= build.threads ? 1 : std::max<size_t>(std::min(build.threads, row_blocks), 1);
    chunks_ = batch() * row_parts_;
    panel_width_ = std::min(PanelWidth(k_, n_), RoundUp(n_, 16));
    panel_rows_ = PanelRows(k_, panel_width_);
    packed_floats_ = RoundUp(RoundUp(m_, kRowBlock) * k_, kRowBlock);
    scratch_bytes_ = (packed_floats_ + k_ * panel_width_) * sizeof(float) + kAlignment;
  }

  void Run(const RunContext& context, size_t chunk, uint8_t* scratch) const noexcept override {
    const size_t batch = chunk / row_parts_;
    const float* a = context.At<const float>(a_) + a_offsets_[batch];
    const float* b = context.At<const float>(b_) + b_offsets_[batch];
    float* y = context.At<float>(y_) + batch * m_ * n_;
    const Split split{(m_ + kRowBlock - 1) / kRowBlock, row_parts_};
    const size_t row_begin = split.Begin(chunk % row_parts_) * kRowBlock;
    const size_t row_end = std::min(split.End(chunk % row_parts_) * kRowBlock, m_);

    float* packed = reinterpret_cast<float*>(scratch);  // [row blocks, k, 16]
    float* panel = packed + packed_floats_;             // [k, panel width]
    for (size_t row = row_begin; row < row_end; row += kRowBlock) {
      PackRows(a, row, std::min(kRowBlock, row_end - row), packed + row * k_);
    }
    const BlockMatrix weights{m_, k_, nullptr, nullptr, nullptr, {packed, false}};
    const Epilogue epilogue = EpilogueOf(Activation{});
    for (size_t column = 0; column < n_; column += panel_width_) {
      const size_t width = std::min(panel_width_, n_ - column);
      if (transpose_b_) {
        kernels_.transpose(b + column * k_, k_, width, k_, panel, panel_width_);
      } else {
        for (size_t k = 0; k < k_; ++k) std::copy_n(b + k * n_ + column, width, panel + k * panel_width_);
      }
      kernels_.panel_matmul_block16(weights, row_begin, row_end,
                                    Panel{panel, panel_rows_.data(), panel_width_}, width, y + column, n_,
                                    epilogue);
    }
  }

 private:
  // Rows [row, row + count) of a, times alpha, as one block [k, 16], zero past `count`.
  void PackRows(const float* a, size_t row, size_t count, float* out) const noexcept {
    if (transpose_a_) {
      for (size_t k = 0; k < k_; ++k) std::copy_n(a + k * m_ + row, count, out + k * kRowBlock);
    } else {
      kernels_.transpose(a + row * k_, k_, count, k_, out, kRowBlock);
    }
    if (count < kRowBlock) {
      for (size_t k = 0; k < k_; ++k) std::fill(out + k * kRowBlock + count, out + (k + 1) * kRowBlock, 0.0f);
    }
    if (alpha_ != 1.0f) kernels_.unary(UnaryOp::kAffine, alpha_, 0.0f, out, out, k_ * kRowBlock);
  }

  const KernelTable& kernels_;
  const bool transpose_a_, transpose_b_;
  const float alpha_;
  size_t row_parts_ = 1;
  size_t panel_width_ = 0;  // a multiple of 16
  std::vector<uint32_t> panel_rows_;
  size_t packed_floats_ = 0;
};

}  // namespace

std::unique_ptr<Step> MakeBatchMatmul(const StepSpec& spec, const BuildContext& build) {
  return std::make_unique<BatchMatmul>(spec, build);
}

}  // namespace espalier
