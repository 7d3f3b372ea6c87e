#pragma once

#include <vector>

#include "formats/packed_weights.h"

namespace espalier {

// A packed matrix cut into blocks of rows and of columns, for a product with several panels: the weights of a
// block and the sums that it adds to stay in the second-level cache while the panels stream by, so that
// weights come from memory once, whatever the number of panels (Goto & van de Geijn, "Anatomy of
// high-performance matrix multiplication", ACM TOMS 34(3), 2008).
class WeightBlocks {
 public:
  // `columns`: of all panels together; `panels`: how many. With one panel nothing is cut.
  WeightBlocks(const PackedWeights& weights, size_t columns, size_t panels);

  size_t rows() const { return rows_; }  // of a block, a multiple of 16; SELL: of a chunk
  // How many columns of panels a block is multiplied with at a time; only SELL limits them.
  size_t columns() const { return columns_; }
  size_t depths() const { return depth_begins_.size() - 1; }  // ranges of the matrix's columns

  // Block formats: the matrix with the columns of a range alone.
  BlockMatrix Blocks(size_t depth) const;
  // SELL: the column blocks of a range.
  size_t SellBegin(size_t depth) const { return depth_begins_[depth]; }
  size_t SellEnd(size_t depth) const { return depth_begins_[depth + 1]; }

 private:
  void SplitBlocks();

  BlockMatrix matrix_{};
  size_t block_rows_ = 16;
  size_t rows_;
  size_t columns_;
  std::vector<size_t> depth_begins_;  // [depths + 1], in columns; SELL: in column blocks
  std::vector<uint32_t> splits_;  // [depths + 1, row blocks], the first block of each range; empty when uncut
};

}  // namespace espalier
