// Packs dense weights, r x 1 blocks and CSR.

#include <limits>
#include <string>

#include "core/error.h"
#include "formats/packed_weights.h"

namespace espalier {
namespace {

// Counts of stored blocks as they are written to offsets.
uint32_t CheckedCount(size_t count) {
  if (count > std::numeric_limits<uint32_t>::max()) {
    throw Error(ErrorCode::kShape, "Expected fewer than 2^32 stored blocks, got " + std::to_string(count));
  }
  return static_cast<uint32_t>(count);
}

bool IsEmpty(const float* block, size_t rows) {
  for (size_t r = 0; r < rows; ++r) {
    if (block[r] != 0.0f) return false;
  }
  return true;
}

// The non-empty blocks of `block_rows` rows; their columns as Column.
template <typename Column>
void PackNonEmpty(const MatrixView& view, size_t block_rows, Storage storage,
                  PackedWeights::Sections& sections) {
  std::vector<uint32_t> offsets = {0};
  std::vector<Column> columns;
  std::vector<float> values;
  for (size_t row = 0; row < view.rows; row += 16) {
    const std::vector<float> group = ReadRowGroup(view, row, storage);
    for (size_t sub = 0; sub < 16 && row + sub < view.rows; sub += block_rows) {
      for (size_t col = 0; col < view.cols; ++col) {
        const float* block = group.data() + col * 16 + sub;
        if (IsEmpty(block, block_rows)) continue;
        columns.push_back(static_cast<Column>(col));
        values.insert(values.end(), block, block + block_rows);
      }
      offsets.push_back(CheckedCount(columns.size()));
    }
  }
  sections[static_cast<size_t>(Section::kOffsets)] = ToSection(offsets);
  sections[static_cast<size_t>(Section::kColumns)] = ToSection(columns);
  sections[static_cast<size_t>(Section::kValues)] = ToValues(values, storage);
}

}  // namespace

void PackBlocks(const MatrixView& view, PackedShape& shape, PackedWeights::Sections& sections) {
  if (shape.format != WeightFormat::kDense) {
    return PackNonEmpty<uint16_t>(view, BlockRows(shape.format), shape.storage, sections);
  }
  std::vector<float> values;
  values.reserve((view.rows + 15) / 16 * 16 * view.cols);
  for (size_t row = 0; row < view.rows; row += 16) {
    const std::vector<float> group = ReadRowGroup(view, row, shape.storage);
    values.insert(values.end(), group.begin(), group.end());
  }
  sections[static_cast<size_t>(Section::kValues)] = ToValues(values, shape.storage);
}

void PackCsr(const MatrixView& view, PackedShape& shape, PackedWeights::Sections& sections) {
  if (shape.storage != Storage::kFloat32) {
    throw Error(ErrorCode::kArgument, "Expected float32 storage for format \"csr\", got float16");
  }
  PackNonEmpty<uint32_t>(view, 1, shape.storage, sections);
}

}  // namespace espalier
