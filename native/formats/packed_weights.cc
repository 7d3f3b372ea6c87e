#include "formats/packed_weights.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>

namespace espalier {
namespace {

constexpr size_t kMaxCount = std::numeric_limits<uint32_t>::max();

size_t BlockRows(WeightFormat format) {
  switch (format) {
    case WeightFormat::kDense:
    case WeightFormat::kBlock16:
      return 16;
    case WeightFormat::kBlock8:
      return 8;
    case WeightFormat::kBlock4:
      return 4;
    case WeightFormat::kCsr:
      break;
  }
  return 1;
}

std::string Describe(const MatrixView& view) {
  return "[" + std::to_string(view.rows) + ", " + std::to_string(view.cols) + "] with strides [" +
         std::to_string(view.row_stride) + ", " + std::to_string(view.col_stride) + "] at offset " +
         std::to_string(view.offset);
}

// The floats the view reaches into, or SIZE_MAX when that does not fit.
size_t FloatsReached(const MatrixView& view) {
  size_t last_row;
  size_t last_col;
  size_t end;
  const bool overflow = __builtin_mul_overflow(view.rows - 1, view.row_stride, &last_row) ||
                        __builtin_mul_overflow(view.cols - 1, view.col_stride, &last_col) ||
                        __builtin_add_overflow(last_row, last_col, &end) ||
                        __builtin_add_overflow(end, view.offset, &end) ||
                        __builtin_add_overflow(end, size_t{1}, &end);
  return overflow ? std::numeric_limits<size_t>::max() : end;
}

void CheckView(const MatrixView& view) {
  if (view.rows == 0 || view.cols == 0) {
    throw Error(ErrorCode::kShape, "Expected a weight matrix with rows and columns, got " + Describe(view));
  }
  const size_t available = view.byte_length / sizeof(float);
  // More elements than floats would be a view onto itself: a small file could then ask for any amount of
  // memory.
  size_t elements;
  if (FloatsReached(view) > available || __builtin_mul_overflow(view.rows, view.cols, &elements) ||
      elements > available) {
    throw Error(ErrorCode::kShape, "Expected a weight matrix inside its " + std::to_string(view.byte_length) +
                                       " bytes, got " + Describe(view));
  }
  if (view.rows > kMaxCount || view.cols > kMaxCount) {
    throw Error(ErrorCode::kShape,
                "Expected fewer than 2^32 rows and columns of weights, got " + Describe(view));
  }
}

float Weight(const MatrixView& view, size_t row, size_t col) {
  float value;
  const size_t at = view.offset + row * view.row_stride + col * view.col_stride;
  std::memcpy(&value, view.bytes + at * sizeof(float), sizeof(value));
  return std::fabs(value) < FLT_MIN ? 0.0f : value;
}

bool BlockIsEmpty(const MatrixView& view, size_t row_begin, size_t row_end, size_t col) {
  for (size_t row = row_begin; row < row_end; ++row) {
    if (Weight(view, row, col) != 0.0f) return false;
  }
  return true;
}

}  // namespace

WeightFormat ParseWeightFormat(const std::string& name) {
  if (name == "dense") return WeightFormat::kDense;
  if (name == "block16") return WeightFormat::kBlock16;
  if (name == "block8") return WeightFormat::kBlock8;
  if (name == "block4") return WeightFormat::kBlock4;
  if (name == "csr") return WeightFormat::kCsr;
  throw Error(ErrorCode::kArgument,
              "Expected a weight format (\"dense\", \"block16\", \"block8\", \"block4\", \"csr\"), got \"" +
                  name + "\"");
}

// CSR is the block format with blocks of one row: one routine packs all five.
PackedWeights PackedWeights::Pack(const MatrixView& view, WeightFormat format) {
  CheckView(view);
  const size_t block_rows = BlockRows(format);
  const size_t row_blocks = (view.rows + block_rows - 1) / block_rows;
  const bool dense = format == WeightFormat::kDense;

  PackedWeights packed;
  packed.format_ = format;
  packed.rows_ = view.rows;
  packed.cols_ = view.cols;

  size_t blocks = dense ? row_blocks * view.cols : 0;  // at most the elements of the view, which were checked
  if (!dense) {
    packed.offsets_ = AlignedBuffer<uint32_t>(row_blocks + 1);
    for (size_t block = 0; block < row_blocks; ++block) {
      const size_t row_begin = block * block_rows;
      const size_t row_end = std::min(row_begin + block_rows, view.rows);
      for (size_t col = 0; col < view.cols; ++col)
        blocks += BlockIsEmpty(view, row_begin, row_end, col) ? 0 : 1;
      packed.offsets_[block + 1] = static_cast<uint32_t>(blocks);  // checked below
    }
  }
  if (blocks > kMaxCount) {
    throw Error(ErrorCode::kShape, "Expected fewer than 2^32 stored blocks, got " + std::to_string(blocks));
  }

  packed.values_ = AlignedBuffer<float>(blocks * block_rows);
  if (!dense) packed.columns_ = AlignedBuffer<uint32_t>(blocks);
  size_t stored = 0;
  for (size_t row_begin = 0; row_begin < view.rows; row_begin += block_rows) {
    const size_t row_end = std::min(row_begin + block_rows, view.rows);
    for (size_t col = 0; col < view.cols; ++col) {
      if (!dense) {
        if (BlockIsEmpty(view, row_begin, row_end, col)) continue;
        packed.columns_[stored] = static_cast<uint32_t>(col);
      }
      float* values =
          packed.values_.data() + stored * block_rows;  // [block_rows], zero where there is no row
      for (size_t row = row_begin; row < row_end; ++row) values[row - row_begin] = Weight(view, row, col);
      ++stored;
    }
  }
  return packed;
}

size_t PackedWeights::byte_size() const {
  return values_.size() * sizeof(float) + (columns_.size() + offsets_.size()) * sizeof(uint32_t);
}

BlockMatrix PackedWeights::block() const {
  const bool dense = format_ == WeightFormat::kDense;
  return {rows_, cols_, dense ? nullptr : offsets_.data(), dense ? nullptr : columns_.data(), values_.data()};
}

CsrMatrix PackedWeights::csr() const {
  return {rows_, cols_, offsets_.data(), columns_.data(), values_.data()};
}

void PackedWeights::Unpack(float* out) const {
  std::fill_n(out, rows_ * cols_, 0.0f);
  const size_t block_rows = BlockRows(format_);
  const bool dense = format_ == WeightFormat::kDense;
  for (size_t block = 0; block * block_rows < rows_; ++block) {
    const size_t row_begin = block * block_rows;
    const size_t row_end = std::min(row_begin + block_rows, rows_);
    const size_t first = dense ? block * cols_ : offsets_[block];
    const size_t count = dense ? cols_ : offsets_[block + 1] - first;
    for (size_t i = 0; i < count; ++i) {
      const size_t col = dense ? i : columns_[first + i];
      const float* values = values_.data() + (first + i) * block_rows;
      for (size_t row = row_begin; row < row_end; ++row) out[row * cols_ + col] = values[row - row_begin];
    }
  }
}

}  // namespace espalier
