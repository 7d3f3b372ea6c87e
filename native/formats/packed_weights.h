#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/aligned_buffer.h"
#include "core/shared_bytes.h"
#include "formats/matrix_view.h"
#include "formats/weight_format.h"
#include "kernels/kernel_types.h"

namespace espalier {

// The arrays that a format is made of; kernel_types.h says which has which, and of what type they are.
// kGaps stands for the columns in files; see column_gaps.h.
enum class Section { kOffsets, kColumns, kValues, kCounts, kOrder, kWindows, kGaps };
inline constexpr size_t kSections = 7;
const char* NameOf(Section section);

// What a packed matrix is, beside its arrays.
struct PackedShape {
  WeightFormat format = WeightFormat::kDense;
  Storage storage = Storage::kFloat32;
  size_t rows = 0;
  size_t cols = 0;
  size_t block_cols = 0;  // SELL only
  size_t chunk_rows = 0;  // SELL only
};

// One weight matrix in the layout its kernels read. The arrays do not depend on the machine: little-endian,
// 64-byte aligned, the same for every instruction set. They are its own, or parts of a file.
class PackedWeights {
 public:
  using Sections = std::array<SharedBytes, kSections>;

  // Reads the view once. Dense packs to 16-row blocks with every column. Block formats keep a block when any
  // of its weights is non-zero; the others keep the non-zero weights. Denormal weights are zeros.
  // Throws Error{kShape} when the view leaves `byte_length`, when the format cannot number as many columns,
  // or when there are more than 2^32 - 1 stored blocks; Error{kArgument} for float16 CSR.
  static PackedWeights Pack(const MatrixView& view, WeightFormat format, Storage storage = Storage::kFloat32);

  // Takes arrays that came from outside, with columns or gaps. Throws Error{kModel} unless they are what a
  // kernel may trust.
  static PackedWeights FromSections(const PackedShape& shape, Sections sections);

  const PackedShape& shape() const { return shape_; }
  WeightFormat format() const { return shape_.format; }
  Storage storage() const { return shape_.storage; }
  size_t rows() const { return shape_.rows; }
  size_t cols() const { return shape_.cols; }
  size_t stored_values() const;  // padding included
  size_t byte_size() const;      // of all sections
  const SharedBytes& section(Section section) const { return sections_[static_cast<size_t>(section)]; }

  BlockMatrix block() const;  // for dense and block formats
  CsrMatrix csr() const;
  SellMatrix sell() const;
  EllMatrix ell() const;

  // Writes the dense matrix, row-major [rows, cols].
  void Unpack(float* out) const;

 private:
  template <typename T>
  const T* Data(Section section) const {
    return reinterpret_cast<const T*>(this->section(section).data());
  }
  Values values() const { return {section(Section::kValues).data(), storage() == Storage::kFloat16}; }

  PackedShape shape_;
  Sections sections_;
};

// The bytes of an array, aligned as kernels want them.
template <typename T>
AlignedBuffer<uint8_t> ToSection(const std::vector<T>& values) {
  AlignedBuffer<uint8_t> section(values.size() * sizeof(T));
  if (!values.empty()) std::memcpy(section.data(), values.data(), values.size() * sizeof(T));
  return section;
}

// Values in their storage.
AlignedBuffer<uint8_t> ToValues(const std::vector<float>& values, Storage storage);

// One packer for each family of formats. They fill in the shape's parameters.
void PackBlocks(const MatrixView& view, PackedShape& shape, PackedWeights::Sections& sections);
void PackCsr(const MatrixView& view, PackedShape& shape, PackedWeights::Sections& sections);
void PackSell(const MatrixView& view, PackedShape& shape, PackedWeights::Sections& sections);
void PackEll(const MatrixView& view, PackedShape& shape, PackedWeights::Sections& sections);

// Throws Error{kModel} that names the section unless every number in it stays inside the matrix.
void CheckSections(const PackedShape& shape, const PackedWeights::Sections& sections);

}  // namespace espalier
