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

void RowWindow::Load(const float* plane, size_t out_row, size_t rows, float* buffer) const noexcept {
  const WindowGeometry& g = geometry_;
  const size_t input_rows = (rows - 1) * g.stride_h + (g.kernel_h - 1) * g.dilation_h + 1;
  const ptrdiff_t first = static_cast<ptrdiff_t>(out_row * g.stride_h) - static_cast<ptrdiff_t>(g.pad_top);
  for (size_t i = 0; i < input_rows; ++i) {
    const ptrdiff_t iy = first + static_cast<ptrdiff_t>(i);
    float* to = buffer + i * row_floats_;
    if (iy < 0 || iy >= static_cast<ptrdiff_t>(g.height)) {
      std::fill(to, to + row_floats_, padding_);
    } else {
      LoadRow(plane + static_cast<size_t>(iy) * g.width, to);
    }
  }
}

void RowWindow::LoadRow(const float* row, float* to) const noexcept {
  const WindowGeometry& g = geometry_;
  const size_t stride = g.stride_w;
  for (size_t phase = 0; phase < stride; ++phase, to += phase_floats_) {
    // Position i of this phase is padded column i * stride + phase, input column that - pad_left.
    const size_t first =
        phase >= g.pad_left ? 0 : std::min((g.pad_left - phase + stride - 1) / stride, phase_floats_);
    const size_t end = g.width + g.pad_left;
    const size_t last =
        std::clamp(end > phase ? (end - phase + stride - 1) / stride : 0, first, phase_floats_);
    std::fill(to, to + first, padding_);
    if (last > first) {
      const float* from = row + (first * stride + phase - g.pad_left);
      if (stride == 1) {
        std::memcpy(to + first, from, (last - first) * sizeof(float));
      } else {
        for (size_t i = first; i < last; ++i, from += stride) to[i] = *from;
      }
    }
    std::fill(to + last, to + phase_floats_, padding_);
  }
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
