#pragma once

#include <cstdint>
#include <string>

#include "core/aligned_buffer.h"
#include "kernels/kernel_types.h"

namespace espalier {

enum class WeightFormat { kDense, kBlock16, kBlock8, kBlock4, kCsr };

// "dense", "block16", "block8", "block4", "csr"; throws Error{kArgument} for anything else.
WeightFormat ParseWeightFormat(const std::string& name);

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

// One weight matrix in the layout its kernels read. Owns its memory.
class PackedWeights {
 public:
  // Reads the view once. Dense packs to 16-row blocks with every column. Block formats keep a block when any
  // of its weights is non-zero; CSR keeps the non-zero weights. Denormal weights are flushed to zero first.
  // Throws Error{kShape} when the view leaves `byte_length` or the matrix has more than 2^32 - 1 stored
  // blocks.
  static PackedWeights Pack(const MatrixView& view, WeightFormat format);

  WeightFormat format() const { return format_; }
  size_t rows() const { return rows_; }
  size_t cols() const { return cols_; }
  size_t stored_values() const { return values_.size(); }
  size_t byte_size() const;  // values, columns and offsets

  BlockMatrix block() const;  // for every format but CSR
  CsrMatrix csr() const;      // for CSR

  // Writes the dense matrix, row-major [rows, cols].
  void Unpack(float* out) const;

 private:
  WeightFormat format_ = WeightFormat::kDense;
  size_t rows_ = 0;
  size_t cols_ = 0;
  AlignedBuffer<uint32_t> offsets_;
  AlignedBuffer<uint32_t> columns_;
  AlignedBuffer<float> values_;
};

}  // namespace espalier
