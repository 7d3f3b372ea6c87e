#include "formats/packed_weights.h"

#include <algorithm>
#include <string>

#include "core/error.h"
#include "core/half.h"
#include "formats/column_gaps.h"

namespace espalier {
namespace {

constexpr const char* kSectionNames[] = {"offsets", "columns", "values", "counts",
                                         "order",   "windows", "gaps"};

// A stored value that is not zero.
struct Place {
  size_t row;
  size_t col;
  size_t at;  // in the values
};

template <typename Visit>
void ForEachBlockValue(const PackedWeights& packed, const Visit& visit) {
  const size_t block_rows = BlockRows(packed.format());
  const BlockMatrix w = packed.block();
  for (size_t block = 0; block * block_rows < w.rows; ++block) {
    const size_t row = block * block_rows;
    const size_t first = w.offsets == nullptr ? block * w.cols : w.offsets[block];
    const size_t end = w.offsets == nullptr ? first + w.cols : w.ends[block];
    for (size_t i = first; i < end; ++i) {
      const size_t col = w.offsets == nullptr ? i - first : w.columns[i];
      for (size_t r = 0; r < std::min(block_rows, w.rows - row); ++r) {
        visit(Place{row + r, col, i * block_rows + r});
      }
    }
  }
}

template <typename Visit>
void ForEachCsrValue(const CsrMatrix& w, const Visit& visit) {
  for (size_t row = 0; row < w.rows; ++row) {
    for (size_t i = w.offsets[row]; i < w.offsets[row + 1]; ++i) visit(Place{row, w.columns[i], i});
  }
}

template <typename Visit>
void ForEachSellValue(const SellMatrix& w, const Visit& visit) {
  size_t slice = 0;
  size_t step = 0;
  for (size_t row = 0; row < w.rows; row += w.chunk_rows) {
    const size_t slices = (std::min(w.chunk_rows, w.rows - row) + 3) / 4;
    for (size_t col = 0; col < w.cols; col += w.block_cols) {
      for (size_t s = 0; s < slices; ++s, ++slice) {
        for (size_t i = 0; i < w.counts[slice]; ++i, ++step) {
          for (size_t r = 0; r < 4; ++r) {
            visit(Place{row + w.order[slice * 4 + r], col + w.columns[step * 4 + r], step * 4 + r});
          }
        }
      }
    }
  }
}

template <typename Visit>
void ForEachEllValue(const EllMatrix& w, const Visit& visit) {
  for (size_t row = 0; row < w.rows; row += 16) {
    for (size_t slot = w.offsets[row / 16]; slot < w.offsets[row / 16 + 1]; ++slot) {
      for (size_t r = 0; r < 16; ++r) {
        visit(Place{row + r, static_cast<size_t>(w.windows[slot]) + w.columns[slot * 16 + r], slot * 16 + r});
      }
    }
  }
}

}  // namespace

const char* NameOf(Section section) { return kSectionNames[static_cast<size_t>(section)]; }

AlignedBuffer<uint8_t> ToValues(const std::vector<float>& values, Storage storage) {
  if (storage == Storage::kFloat32) return ToSection(values);
  AlignedBuffer<uint8_t> section(values.size() * sizeof(uint16_t));
  auto* halves = reinterpret_cast<uint16_t*>(section.data());
  for (size_t i = 0; i < values.size(); ++i) halves[i] = FloatToHalf(values[i]);
  return section;
}

PackedWeights PackedWeights::Pack(const MatrixView& view, WeightFormat format, Storage storage) {
  CheckView(view);
  PackedWeights packed;
  PackedShape& shape = packed.shape_;
  shape.format = format;
  shape.storage = storage;
  shape.rows = view.rows;
  shape.cols = view.cols;
  const bool any_columns = format == WeightFormat::kDense || format == WeightFormat::kCsr;
  if (!any_columns && view.cols > kMostNumberedColumns) {
    throw Error(ErrorCode::kShape, std::string("Expected at most ") + std::to_string(kMostNumberedColumns) +
                                       " columns for format \"" + NameOf(format) + "\", got " +
                                       std::to_string(view.cols));
  }
  switch (format) {
    case WeightFormat::kCsr:
      PackCsr(view, shape, packed.sections_);
      break;
    case WeightFormat::kSell:
      PackSell(view, shape, packed.sections_);
      break;
    case WeightFormat::kEll:
      PackEll(view, shape, packed.sections_);
      break;
    default:
      PackBlocks(view, shape, packed.sections_);
      break;
  }
  return packed;
}

PackedWeights PackedWeights::FromSections(const PackedShape& shape, Sections sections) {
  if (!sections[static_cast<size_t>(Section::kGaps)].empty()) DecodeGaps(shape, sections);
  CheckSections(shape, sections);
  PackedWeights packed;
  packed.shape_ = shape;
  packed.sections_ = std::move(sections);
  return packed;
}

size_t PackedWeights::stored_values() const {
  return section(Section::kValues).size() / (storage() == Storage::kFloat16 ? 2 : 4);
}

size_t PackedWeights::byte_size() const {
  size_t bytes = 0;
  for (const SharedBytes& section : sections_) bytes += section.size();
  return bytes;
}

BlockMatrix PackedWeights::block() const {
  if (format() == WeightFormat::kDense) return {rows(), cols(), nullptr, nullptr, nullptr, values()};
  const auto* offsets = Data<uint32_t>(Section::kOffsets);
  return {rows(), cols(), offsets, offsets + 1, Data<uint16_t>(Section::kColumns), values()};
}

CsrMatrix PackedWeights::csr() const {
  return {rows(), cols(), Data<uint32_t>(Section::kOffsets), Data<uint32_t>(Section::kColumns),
          Data<float>(Section::kValues)};
}

SellMatrix PackedWeights::sell() const {
  return {rows(),
          cols(),
          shape_.block_cols,
          shape_.chunk_rows,
          Data<uint64_t>(Section::kOffsets),
          Data<uint8_t>(Section::kCounts),
          Data<uint16_t>(Section::kOrder),
          Data<uint8_t>(Section::kColumns),
          values()};
}

EllMatrix PackedWeights::ell() const {
  return {rows(),
          cols(),
          Data<uint32_t>(Section::kOffsets),
          Data<uint16_t>(Section::kWindows),
          Data<uint8_t>(Section::kColumns),
          values()};
}

void PackedWeights::Unpack(float* out) const {
  std::fill_n(out, rows() * cols(), 0.0f);
  const Values stored = values();
  const auto visit = [&](const Place& place) {
    const float value = stored.half ? HalfToFloat(static_cast<const uint16_t*>(stored.data)[place.at])
                                    : static_cast<const float*>(stored.data)[place.at];
    // Padding is zero. The last rows of a slice or group may not exist, whatever sections from outside say of
    // them.
    if (value != 0.0f && place.row < rows()) out[place.row * cols() + place.col] = value;
  };
  switch (format()) {
    case WeightFormat::kCsr:
      return ForEachCsrValue(csr(), visit);
    case WeightFormat::kSell:
      return ForEachSellValue(sell(), visit);
    case WeightFormat::kEll:
      return ForEachEllValue(ell(), visit);
    default:
      return ForEachBlockValue(*this, visit);
  }
}

}  // namespace espalier
