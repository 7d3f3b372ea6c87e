// Packs K-blocked SELL; kernel_types.h says what that is.

#include <algorithm>
#include <numeric>

#include "formats/packed_weights.h"

namespace espalier {
namespace {

constexpr size_t kMostChunkRows = 512;  // sums of 64 tokens take 128 KiB: they stay in the second-level cache

// Columns of a block: with 64 tokens their part of the panel takes 32 KiB, the first-level cache of most
// CPUs. Very sparse rows have too few values in so few columns to pay for loading and storing their sums.
constexpr size_t kBlockCols = 128;
constexpr size_t kSparseBlockCols = 192;
constexpr double kSparseDensity = 0.08;

double Density(const std::vector<std::vector<float>>& groups) {
  size_t nonzero = 0;
  size_t total = 0;
  for (const std::vector<float>& group : groups) {
    nonzero += group.size() - static_cast<size_t>(std::count(group.begin(), group.end(), 0.0f));
    total += group.size();
  }
  return static_cast<double>(nonzero) / static_cast<double>(total);
}

// The sections as they grow.
struct SellBuilder {
  std::vector<uint64_t> starts;
  std::vector<uint8_t> counts;
  std::vector<uint16_t> order;
  std::vector<uint8_t> columns;
  std::vector<float> values;

  // Four rows, each with its columns of the block; `value(r, col)` gives a weight.
  template <typename Value>
  void AddSlice(const std::vector<uint8_t>* const rows[4], const Value& value) {
    const size_t steps = rows[0]->size();  // sorted: the first is the longest
    counts.push_back(static_cast<uint8_t>(steps));
    for (size_t i = 0; i < steps; ++i) {
      for (size_t r = 0; r < 4; ++r) {
        const std::vector<uint8_t>& row = *rows[r];
        const bool padding = i >= row.size();
        // Padding points to a column that its row reads anyway, where it has one.
        columns.push_back(padding ? (row.empty() ? rows[0]->back() : row.back()) : row[i]);
        values.push_back(padding ? 0.0f : value(r, row[i]));
      }
    }
  }
};

}  // namespace

void PackSell(const MatrixView& view, PackedShape& shape, PackedWeights::Sections& sections) {
  const size_t chunks = (view.rows + kMostChunkRows - 1) / kMostChunkRows;
  shape.chunk_rows = RoundUp((view.rows + chunks - 1) / chunks, 16);
  SellBuilder builder;
  for (size_t chunk_row = 0; chunk_row < view.rows; chunk_row += shape.chunk_rows) {
    const size_t rows = std::min(shape.chunk_rows, view.rows - chunk_row);
    std::vector<std::vector<float>> groups;  // of 16 rows: [cols, 16]
    for (size_t row = 0; row < rows; row += 16)
      groups.push_back(ReadRowGroup(view, chunk_row + row, shape.storage));
    if (shape.block_cols == 0)
      shape.block_cols = Density(groups) < kSparseDensity ? kSparseBlockCols : kBlockCols;
    const auto weight = [&](size_t row, size_t col) { return groups[row / 16][col * 16 + row % 16]; };

    const size_t slice_rows = RoundUp(rows, 4);  // whole slices: the rows past the end are empty
    std::vector<std::vector<uint8_t>> kept(slice_rows);
    std::vector<uint16_t> order(slice_rows);
    for (size_t first = 0; first < view.cols; first += shape.block_cols) {
      const size_t cols = std::min(shape.block_cols, view.cols - first);
      builder.starts.push_back(builder.values.size() / 4);
      for (std::vector<uint8_t>& columns : kept) columns.clear();
      for (size_t row = 0; row < rows; ++row) {
        for (size_t col = 0; col < cols; ++col) {
          if (weight(row, first + col) != 0.0f) kept[row].push_back(static_cast<uint8_t>(col));
        }
      }
      std::iota(order.begin(), order.end(), uint16_t{0});
      std::sort(order.begin(), order.end(), [&](uint16_t a, uint16_t b) {
        return kept[a].size() != kept[b].size() ? kept[a].size() > kept[b].size() : a < b;
      });
      builder.order.insert(builder.order.end(), order.begin(), order.end());
      for (size_t i = 0; i < slice_rows; i += 4) {
        const std::vector<uint8_t>* const slice[4] = {&kept[order[i]], &kept[order[i + 1]],
                                                      &kept[order[i + 2]], &kept[order[i + 3]]};
        builder.AddSlice(slice, [&](size_t r, size_t col) { return weight(order[i + r], first + col); });
      }
    }
  }
  builder.starts.push_back(builder.values.size() / 4);
  sections[static_cast<size_t>(Section::kOffsets)] = ToSection(builder.starts);
  sections[static_cast<size_t>(Section::kCounts)] = ToSection(builder.counts);
  sections[static_cast<size_t>(Section::kOrder)] = ToSection(builder.order);
  sections[static_cast<size_t>(Section::kColumns)] = ToSection(builder.columns);
  sections[static_cast<size_t>(Section::kValues)] = ToValues(builder.values, shape.storage);
}

}  // namespace espalier
