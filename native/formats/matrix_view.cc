#include "formats/matrix_view.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "core/error.h"
#include "core/half.h"
#include "core/sizes.h"

namespace espalier {
namespace {

constexpr size_t kMostRows = std::numeric_limits<uint32_t>::max();

std::string Describe(const MatrixView& view) {
  return "[" + std::to_string(view.rows) + ", " + std::to_string(view.cols) + "] with strides [" +
         std::to_string(view.row_stride) + ", " + std::to_string(view.col_stride) + "] at offset " +
         std::to_string(view.offset);
}

// The floats the view reaches into, or SIZE_MAX when that does not fit.
size_t FloatsReached(const MatrixView& view) {
  const size_t last_row = MultiplySizes(view.rows - 1, view.row_stride);
  const size_t last_col = MultiplySizes(view.cols - 1, view.col_stride);
  return AddSizes(AddSizes(last_row, last_col), AddSizes(view.offset, 1));
}

}  // namespace

void CheckView(const MatrixView& view) {
  if (view.rows == 0 || view.cols == 0) {
    throw Error(ErrorCode::kShape, "Expected a weight matrix with rows and columns, got " + Describe(view));
  }
  const size_t available = view.byte_length / sizeof(float);
  // More elements than floats would be a view onto itself: a small file could then ask for any amount of
  // memory.
  if (FloatsReached(view) > available || MultiplySizes(view.rows, view.cols) > available) {
    throw Error(ErrorCode::kShape, "Expected a weight matrix inside its " + std::to_string(view.byte_length) +
                                       " bytes, got " + Describe(view));
  }
  if (view.rows > kMostRows || view.cols > kMostRows) {
    throw Error(ErrorCode::kShape,
                "Expected fewer than 2^32 rows and columns of weights, got " + Describe(view));
  }
}

std::vector<float> ReadRowGroup(const MatrixView& view, size_t row, Storage storage) {
  std::vector<float> group(view.cols * 16);
  const size_t rows = std::min<size_t>(16, view.rows - row);
  const uint8_t* first = view.bytes + (view.offset + row * view.row_stride) * sizeof(float);
  for (size_t col = 0; col < view.cols; ++col) {
    for (size_t r = 0; r < rows; ++r) {
      float value;
      std::memcpy(&value, first + (col * view.col_stride + r * view.row_stride) * sizeof(float),
                  sizeof(value));
      if (storage == Storage::kFloat16) value = HalfToFloat(FloatToHalf(value));
      group[col * 16 + r] = std::fabs(value) < FLT_MIN ? 0.0f : value;
    }
  }
  return group;
}

}  // namespace espalier
