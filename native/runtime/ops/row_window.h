#pragma once

#include <vector>

#include "runtime/ops/conv_geometry.h"

namespace espalier {

// The rows of one input plane that a run of output rows looks at, copied with their padding so that every tap
// becomes a contiguous row of out_width values: value i of tap (kh, kw) for output row oy is what the window
// of output (oy, i) has there. With a horizontal stride s each row is stored as s phases (columns 0, s,
// 2s..., then 1, s + 1, ...).
class RowWindow {
 public:
  // Output rows are handled `strip_rows()` at a time, as many as keep the copy in the first-level cache.
  RowWindow(const WindowGeometry& geometry, float padding);

  size_t strip_rows() const { return strip_rows_; }
  size_t strips() const { return (geometry_.out_height + strip_rows_ - 1) / strip_rows_; }
  size_t scratch_floats() const { return buffer_rows_ * row_floats_; }

  // Copies what output rows [out_row, out_row + rows) need of `plane` [height, width] into `buffer`.
  void Load(const KernelTable& kernels, const float* plane, size_t out_row, size_t rows,
            float* buffer) const noexcept;

  // How the window's taps lie in a buffer that was loaded for `rows` output rows; weights, bias, residual and
  // clamp are the caller's to fill in.
  WindowRows Rows(const float* buffer, size_t rows) const noexcept;

  // taps[t] points to the out_width values of tap t for the `row`-th output row of the loaded strip.
  void Taps(const float* buffer, size_t row, const float** taps) const noexcept;

 private:
  WindowGeometry geometry_;
  float padding_;
  size_t phase_floats_;  // length of one phase of one row
  size_t row_floats_;    // stride_w phases
  size_t strip_rows_;
  size_t buffer_rows_;
  std::vector<size_t> columns_;  // [kernel_w], where a tap's column starts in a stored row
};

// Copies rows first, first + step, ... of a plane of `height` rows that begins at copy.from, whose rows are
// copy.from_stride apart; those outside the plane become padding.
void CopyPaddedRows(const KernelTable& kernels, RowCopy copy, ptrdiff_t first, size_t step,
                    size_t height) noexcept;

}  // namespace espalier
