#pragma once

#include <algorithm>

#include "core/aligned_buffer.h"
#include "runtime/step.h"

namespace espalier {

// Calls the panel kernel of the weights' format; see kernels.inc for the contract.
inline void PanelMatmul(const KernelTable& kernels, const PackedWeights& weights, size_t row_begin,
                        size_t row_end, const Panel& panel, size_t width, float* out, size_t out_stride,
                        const Epilogue& epilogue) noexcept {
  switch (weights.format()) {
    case WeightFormat::kDense:
    case WeightFormat::kBlock16:
      return kernels.panel_matmul_block16(weights.block(), row_begin, row_end, panel, width, out, out_stride,
                                          epilogue);
    case WeightFormat::kBlock8:
      return kernels.panel_matmul_block8(weights.block(), row_begin, row_end, panel, width, out, out_stride,
                                         epilogue);
    case WeightFormat::kBlock4:
      return kernels.panel_matmul_block4(weights.block(), row_begin, row_end, panel, width, out, out_stride,
                                         epilogue);
    case WeightFormat::kCsr:
      return kernels.panel_matmul_csr(weights.csr(), row_begin, row_end, panel, width, out, out_stride,
                                      epilogue);
  }
}

inline void Gemv(const KernelTable& kernels, const PackedWeights& weights, size_t row_begin, size_t row_end,
                 const float* x, float* y, const Epilogue& epilogue) noexcept {
  switch (weights.format()) {
    case WeightFormat::kDense:
    case WeightFormat::kBlock16:
      return kernels.gemv_block16(weights.block(), row_begin, row_end, x, y, epilogue);
    case WeightFormat::kBlock8:
      return kernels.gemv_block8(weights.block(), row_begin, row_end, x, y, epilogue);
    case WeightFormat::kBlock4:
      return kernels.gemv_block4(weights.block(), row_begin, row_end, x, y, epilogue);
    case WeightFormat::kCsr:
      return kernels.gemv_csr(weights.csr(), row_begin, row_end, x, y, epilogue);
  }
}

// Floats past a panel that a kernel may read.
inline constexpr size_t kPanelSlack = 64;

// Where the rows of a plain panel [rows, stride] start.
inline std::vector<uint32_t> PanelRows(size_t rows, size_t stride) {
  std::vector<uint32_t> starts(rows);
  for (size_t k = 0; k < rows; ++k) starts[k] = static_cast<uint32_t>(k * stride);
  return starts;
}

// How wide a panel [k, width] to pack at a time: a multiple of 48 (three AVX-512 vectors, six AVX2 ones), so
// that `columns` columns split into equal panels. What must stay in the second-level cache is one strip of it
// (48 columns); a wider panel packs in longer runs.
inline size_t PanelWidth(size_t k, size_t columns) {
  constexpr size_t kStep = 48;
  constexpr size_t kPanelBytes = 256 * 1024;
  constexpr size_t kLeastSteps = 2;
  const size_t most =
      std::max(kPanelBytes / sizeof(float) / std::max<size_t>(k, 1) / kStep, kLeastSteps) * kStep;
  const size_t panels = std::max<size_t>((columns + most - 1) / most, 1);
  return std::max(RoundUp((columns + panels - 1) / panels, kStep), kStep);
}

// Rows [begin, end) of part `part` of `parts`, cut at multiples of 16 rows as the kernels ask.
inline void RowRange(size_t rows, size_t parts, size_t part, size_t* begin, size_t* end) {
  const Split split{(rows + 15) / 16, parts};
  *begin = split.Begin(part) * 16;
  *end = std::min(split.End(part) * 16, rows);
}

}  // namespace espalier
