#include "runtime/ops/row_window.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "core/error.h"

namespace espalier {

RowWindow::RowWindow(const WindowGeometry& geometry, float padding) : geometry_(geometry), padding_(padding) {
  const WindowGeometry& g = geometry_;
  phase_floats_ = g.out_width + ((g.kernel_w - 1) * g.dilation_w) / g.stride_w;
  row_floats_ = phase_floats_ * g.stride_w;
  const size_t reach = (g.kernel_h - 1) * g.dilation_h + 1;  // input rows under one output row
  constexpr size_t kStripFloats = 4096;
  const size_t rows_that_fit = kStripFloats / std::max<size_t>(row_floats_, 1);
  strip_rows_ = rows_that_fit > reach ? (rows_that_fit - reach) / g.stride_h + 1 : 1;
  strip_rows_ = std::clamp<size_t>(strip_rows_, 1, std::max<size_t>(g.out_height, 1));
  buffer_rows_ = (strip_rows_ - 1) * g.stride_h + reach;
  constexpr size_t kMostFloats = size_t{1} << 28;  // 1 GiB for every thread
  if (row_floats_ != 0 && buffer_rows_ > kMostFloats / row_floats_) {
    throw Error(ErrorCode::kMemory, "Expected room for the rows that a window reaches over, got " +
                                        std::to_string(buffer_rows_) + " rows of " +
                                        std::to_string(row_floats_) + " numbers");
  }
  for (size_t kw = 0; kw < g.kernel_w; ++kw) {
    const size_t column = kw * g.dilation_w;
    columns_.push_back((column % g.stride_w) * phase_floats_ + column / g.stride_w);
  }
}

void RowWindow::Load(const KernelTable& kernels, const float* plane, size_t out_row, size_t rows,
                     float* buffer) const noexcept {
  const WindowGeometry& g = geometry_;
  const size_t input_rows = (rows - 1) * g.stride_h + (g.kernel_h - 1) * g.dilation_h + 1;
  const RowCopy copy = {plane,      g.width,       g.width,       input_rows, buffer,  row_floats_,
                        g.stride_w, phase_floats_, phase_floats_, g.pad_left, padding_};
  CopyPaddedRows(kernels, copy,
                 static_cast<ptrdiff_t>(out_row * g.stride_h) - static_cast<ptrdiff_t>(g.pad_top), 1,
                 g.height);
}

void CopyPaddedRows(const KernelTable& kernels, RowCopy copy, ptrdiff_t first, size_t step,
                    size_t height) noexcept {
  // Rows [above, below) of the copy lie inside the plane.
  const auto rows_before = [&](ptrdiff_t row) {  // of the copy, that see rows before this one
    const ptrdiff_t distance = std::max<ptrdiff_t>(row - first, 0);
    return std::min((static_cast<size_t>(distance) + step - 1) / step, copy.rows);
  };
  const size_t above = rows_before(0);
  const size_t below = std::max(rows_before(static_cast<ptrdiff_t>(height)), above);
  for (size_t r = 0; r < copy.rows; ++r) {
    if (r == above && below > above) r = below;
    if (r >= copy.rows) break;
    for (size_t phase = 0; phase < copy.phases; ++phase) {
      std::fill_n(copy.to + r * copy.row_stride + phase * copy.phase_stride, copy.phase_floats, copy.padding);
    }
  }
  if (below == above) return;
  copy.from += (first + static_cast<ptrdiff_t>(above * step)) * static_cast<ptrdiff_t>(copy.from_stride);
  copy.from_stride *= step;
  copy.to += above * copy.row_stride;
  copy.rows = below - above;
  kernels.copy_rows(copy);
}

WindowRows RowWindow::Rows(const float* buffer, size_t rows) const noexcept {
  WindowRows window{};
  window.rows = buffer;
  window.row_stride = row_floats_;
  window.out_rows = rows;
  window.kernel_h = geometry_.kernel_h;
  window.kernel_w = geometry_.kernel_w;
  window.stride_h = geometry_.stride_h;
  window.dilation_h = geometry_.dilation_h;
  window.columns = columns_.data();
  window.lo = -std::numeric_limits<float>::infinity();
  window.hi = std::numeric_limits<float>::infinity();
  return window;
}

void RowWindow::Taps(const float* buffer, size_t row, const float** taps) const noexcept {
  const WindowGeometry& g = geometry_;
  for (size_t kh = 0; kh < g.kernel_h; ++kh) {
    const float* line = buffer + (row * g.stride_h + kh * g.dilation_h) * row_floats_;
    for (size_t column : columns_) *taps++ = line + column;
  }
}

}  // namespace espalier
