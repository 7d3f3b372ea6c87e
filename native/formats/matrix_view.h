#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "formats/weight_format.h"

namespace espalier {

// A [rows, cols] float32 matrix somewhere in `bytes`, possibly unaligned:
// element (r, c) is the float at byte offset 4 * (offset + r * row_stride + c * col_stride).
struct MatrixView {
  const uint8_t* bytes;
  size_t byte_length;
  size_t rows;
  size_t cols;
  size_t offset;
  size_t row_stride;
  size_t col_stride;
};

// Throws Error{kShape} when the view is empty, leaves its bytes, or shows some of them twice.
void CheckView(const MatrixView& view);

// Rows [row, row + 16) as they will be stored: [cols, 16], zero where there is no row. Denormals become zero,
// and float16 storage rounds.
std::vector<float> ReadRowGroup(const MatrixView& view, size_t row, Storage storage);

}  // namespace espalier
