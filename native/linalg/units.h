#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include "linalg/parallel.h"

namespace espalier {

// The shape of what is removed: blocks of rows x cols weights, or all but `kept` of every `of` columns of a
// row.
struct UnitShape {
  size_t rows = 1;
  size_t cols = 1;
  size_t kept = 0;
  size_t of = 0;  // 0: not N:M
};

inline size_t CeilDiv(size_t count, size_t size) { return (count + size - 1) / size; }

// The units of a matrix [rows, cols]; `removed` has one byte for each, [unit_rows, unit_cols], 1 = removed.
struct UnitGrid {
  size_t rows;
  size_t cols;
  UnitShape unit;
  size_t unit_rows() const { return CeilDiv(rows, unit.rows); }
  size_t unit_cols() const { return CeilDiv(cols, unit.cols); }
};

constexpr size_t kRowsOfTask = 32;

// Marks the lowest units of a part of the columns.
class UnitSelector {
 public:
  // For at most `most_cols` unit columns at a time.
  UnitSelector(const UnitGrid& grid, size_t most_cols, ThreadTeam* team)
      : grid_(grid), team_(team), scores_(grid.unit_rows() * most_cols), order_(scores_.size()) {}

  // Marks the `count` units of the unit columns [begin, end) with the lowest sums of score(row, col), ties
  // going to the lower index. Other marks stay.
  template <typename Score>
  void MarkLowest(size_t begin, size_t end, size_t count, const Score& score, uint8_t* removed) {
    const size_t unit_rows = grid_.unit_rows();
    const size_t width = end - begin;
    ParallelFor(team_, CeilDiv(unit_rows, kRowsOfTask), [&](size_t chunk, size_t) {
      for (size_t r = chunk * kRowsOfTask; r < std::min(unit_rows, (chunk + 1) * kRowsOfTask); ++r) {
        for (size_t c = begin; c < end; ++c) scores_[r * width + c - begin] = Sum(r, c, score);
      }
    });
    const auto lower = [&](size_t a, size_t b) {
      return scores_[a] < scores_[b] || (scores_[a] == scores_[b] && a < b);
    };
    const auto last = order_.begin() + static_cast<std::ptrdiff_t>(unit_rows * width);
    const auto middle = order_.begin() + static_cast<std::ptrdiff_t>(count);
    std::iota(order_.begin(), last, size_t{0});
    if (middle != last) std::nth_element(order_.begin(), middle, last, lower);
    std::for_each(order_.begin(), middle,
                  [&](size_t at) { removed[at / width * grid_.unit_cols() + begin + at % width] = 1; });
  }

 private:
  template <typename Score>
  double Sum(size_t unit_row, size_t unit_col, const Score& score) const {
    double sum = 0;
    const size_t row_end = std::min(grid_.rows, (unit_row + 1) * grid_.unit.rows);
    const size_t col_end = std::min(grid_.cols, (unit_col + 1) * grid_.unit.cols);
    for (size_t row = unit_row * grid_.unit.rows; row < row_end; ++row) {
      for (size_t col = unit_col * grid_.unit.cols; col < col_end; ++col) sum += score(row, col);
    }
    return sum;
  }

  const UnitGrid grid_;
  ThreadTeam* team_;
  std::vector<double> scores_;
  std::vector<size_t> order_;
};

// N:M: marks all but the `kept` columns of [begin, end) of a row with the highest score(col), ties going to
// the higher index.
template <typename Score>
void MarkAllButHighest(size_t begin, size_t end, size_t kept, const Score& score, uint8_t* removed_of_row) {
  for (size_t left = end - begin; left > kept; --left) {
    size_t lowest = end;
    for (size_t col = begin; col < end; ++col) {
      if (removed_of_row[col] != 0) continue;
      if (lowest == end || score(col) < score(lowest)) lowest = col;
    }
    removed_of_row[lowest] = 1;
  }
}

}  // namespace espalier
