#include "runtime/ops/weight_blocks.h"

#include <algorithm>
#include <limits>

namespace espalier {
namespace {

// What may stay in a second-level cache of 1 MiB while panels stream by.
constexpr size_t kWeightBytes = 384 * 1024;
constexpr size_t kSumBytes = 256 * 1024;

// SELL: tokens of a strip (see pack_sell.cc), and sums of a chunk, whose rows are many.
constexpr size_t kSellStrip = 64;
constexpr size_t kSellSumBytes = 512 * 1024;

// Shorter ranges of columns would spend their time on loading and storing sums.
constexpr size_t kLeastDepth = 512;
constexpr size_t kLeastRows = 64;
// Rows of sums of a single panel: what finish_transposed takes at once.
constexpr size_t kSinglePanelRows = 128;

size_t RoundDown16(double rows) { return static_cast<size_t>(rows) / 16 * 16; }

}  // namespace

WeightBlocks::WeightBlocks(const PackedWeights& weights, size_t columns, size_t panels) {
  const WeightFormat format = weights.format();
  const size_t cols = std::max<size_t>(weights.cols(), 1);
  const bool sell = format == WeightFormat::kSell;
  const size_t units = sell ? (cols + weights.shape().block_cols - 1) / weights.shape().block_cols : cols;
  rows_ = sell ? weights.shape().chunk_rows : kSinglePanelRows;
  depth_begins_ = {0, units};
  const bool blocks = format == WeightFormat::kDense || BlockRows(format) > 1;
  if (blocks) {
    matrix_ = weights.block();
    block_rows_ = BlockRows(format);
  }
  columns_ = sell ? kSellStrip : std::numeric_limits<size_t>::max();
  if (panels < 2 || !(blocks || sell)) return;

  // Bytes of one row and one column, on average.
  const double density =
      static_cast<double>(weights.byte_size()) /
      (static_cast<double>(cols) * static_cast<double>(std::max<size_t>(weights.rows(), 1)));
  const double area = kWeightBytes / std::max(density, 1e-9);  // rows x columns of a block
  if (sell) {
    columns_ = std::max(kSellSumBytes / sizeof(float) / rows_ / kSellStrip, size_t{1}) * kSellStrip;
  } else {
    const double by_sums = static_cast<double>(kSumBytes) / static_cast<double>(columns * sizeof(float));
    const double by_weights = area / static_cast<double>(std::min(kLeastDepth, cols));
    rows_ = std::max(RoundDown16(std::min({by_sums, by_weights, 1e6})), kLeastRows);
  }
  const double depth = std::max(area / static_cast<double>(std::min(rows_, weights.rows())), 1.0);
  const auto depths = static_cast<size_t>(static_cast<double>(cols) / depth) + 1;
  const size_t parts = std::min(depths, units);
  depth_begins_.clear();
  for (size_t i = 0; i <= parts; ++i) depth_begins_.push_back(i * units / parts);
  if (blocks && parts > 1) SplitBlocks();
}

void WeightBlocks::SplitBlocks() {
  const size_t row_blocks = (matrix_.rows + block_rows_ - 1) / block_rows_;
  splits_.reserve(depth_begins_.size() * row_blocks);
  for (const size_t column : depth_begins_) {
    for (size_t b = 0; b < row_blocks; ++b) {
      if (matrix_.offsets == nullptr) {
        splits_.push_back(static_cast<uint32_t>(b * matrix_.cols + column));
        continue;
      }
      const uint16_t* first = matrix_.columns + matrix_.offsets[b];
      const uint16_t* end = matrix_.columns + matrix_.ends[b];
      const auto split = std::lower_bound(first, end, column, [](size_t a, size_t c) { return a < c; });
      splits_.push_back(static_cast<uint32_t>(split - matrix_.columns));
    }
  }
}

BlockMatrix WeightBlocks::Blocks(size_t depth) const {
  if (splits_.empty()) return matrix_;
  const size_t row_blocks = splits_.size() / depth_begins_.size();
  BlockMatrix range = matrix_;
  range.offsets = splits_.data() + depth * row_blocks;
  range.ends = range.offsets + row_blocks;
  return range;
}

}  // namespace espalier
