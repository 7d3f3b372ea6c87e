#include "linalg/sparse_gpt.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "linalg/parallel.h"

namespace espalier {
namespace {

constexpr size_t kBlockCols = 128;
constexpr size_t kRowsOfTask = 32;

size_t Blocks(size_t count, size_t size) { return (count + size - 1) / size; }

// Columns that are worked on together: as near to 128 as units and groups of N:M divide.
size_t BlockWidth(const UnitShape& unit) {
  const size_t step = unit.of != 0 ? unit.of : unit.cols;
  return std::max<size_t>(1, kBlockCols / step) * step;
}

double Saliency(const SparseGptTask& task, size_t row, size_t col) {
  const double ratio = task.weights[row * task.cols + col] / task.factor[col * task.cols + col];
  return ratio * ratio;
}

double UnitScore(const SparseGptTask& task, size_t unit_row, size_t unit_col) {
  double sum = 0;
  const size_t row_end = std::min(task.rows, (unit_row + 1) * task.unit.rows);
  const size_t col_end = std::min(task.cols, (unit_col + 1) * task.unit.cols);
  for (size_t row = unit_row * task.unit.rows; row < row_end; ++row) {
    for (size_t col = unit_col * task.unit.cols; col < col_end; ++col) sum += Saliency(task, row, col);
  }
  return sum;
}

// Marks the `count` lowest units of the unit columns [begin, end), ties going to the lower index.
void SelectUnits(const SparseGptTask& task, size_t begin, size_t end, size_t count, ThreadTeam* team,
                 std::vector<double>& scores, std::vector<size_t>& order) {
  const size_t unit_rows = Blocks(task.rows, task.unit.rows);
  const size_t unit_cols = Blocks(task.cols, task.unit.cols);
  const size_t width = end - begin;
  ParallelFor(team, Blocks(unit_rows, kRowsOfTask), [&](size_t chunk, size_t) {
    for (size_t r = chunk * kRowsOfTask; r < std::min(unit_rows, (chunk + 1) * kRowsOfTask); ++r) {
      for (size_t c = begin; c < end; ++c) scores[r * width + c - begin] = UnitScore(task, r, c);
    }
  });
  const auto lower = [&](size_t a, size_t b) {
    return scores[a] < scores[b] || (scores[a] == scores[b] && a < b);
  };
  const auto last = order.begin() + static_cast<std::ptrdiff_t>(unit_rows * width);
  const auto middle = order.begin() + static_cast<std::ptrdiff_t>(count);
  std::iota(order.begin(), last, size_t{0});
  if (middle != last) std::nth_element(order.begin(), middle, last, lower);
  std::for_each(order.begin(), middle,
                [&](size_t at) { task.removed[at / width * unit_cols + begin + at % width] = 1; });
}

// N:M: marks all but the `kept` highest of the columns [begin, end) of a row.
void SelectOfGroup(const SparseGptTask& task, size_t row, size_t begin, size_t end) {
  uint8_t* removed = task.removed + row * task.cols;
  for (size_t left = end - begin; left > task.unit.kept; --left) {
    size_t lowest = end;
    for (size_t col = begin; col < end; ++col) {
      if (removed[col] != 0) continue;
      if (lowest == end || Saliency(task, row, col) < Saliency(task, row, lowest)) lowest = col;
    }
    removed[lowest] = 1;
  }
}

// Prunes the columns [begin, end) of a row, and lets those after each take over; errors[end - begin] say what
// is left for the columns from `end` on.
void PruneRow(const SparseGptTask& task, size_t row, size_t begin, size_t end, double* errors) {
  double* weights = task.weights + row * task.cols;
  const size_t unit_cols = Blocks(task.cols, task.unit.cols);
  const uint8_t* removed = task.removed + row / task.unit.rows * unit_cols;
  for (size_t col = begin; col < end; ++col) {
    const size_t of = task.unit.of;
    if (of != 0 && (col - begin) % of == 0) SelectOfGroup(task, row, col, std::min(end, col + of));
    errors[col - begin] = 0;
    if (removed[col / task.unit.cols] == 0) continue;
    const double* factors = task.factor + col * task.cols;
    const double error = weights[col] / factors[col];
    for (size_t later = col + 1; later < end; ++later) weights[later] -= error * factors[later];
    weights[col] = 0;
    errors[col - begin] = error;
  }
}

}  // namespace

void SparseGpt(const SparseGptTask& task, Solver& solver) {
  const size_t width = BlockWidth(task.unit);
  const size_t unit_rows = Blocks(task.rows, task.unit.rows);
  const size_t units = unit_rows * Blocks(task.cols, task.unit.cols);
  std::fill_n(task.removed, units, uint8_t{0});
  std::vector<double> errors(task.rows * std::min(width, task.cols));
  const bool chosen_first = task.unit.of == 0;
  std::vector<double> scores(chosen_first ? unit_rows * Blocks(width, task.unit.cols) : 0);
  std::vector<size_t> order(scores.size());
  size_t done = 0;
  for (size_t begin = 0; begin < task.cols; begin += width) {
    const size_t end = std::min(task.cols, begin + width);
    if (chosen_first) {
      const size_t unit_end = Blocks(end, task.unit.cols);
      const double share = static_cast<double>(unit_rows * unit_end) / static_cast<double>(units);
      const size_t wanted =
          end == task.cols ? task.removals
                           : static_cast<size_t>(std::llround(static_cast<double>(task.removals) * share));
      SelectUnits(task, begin / task.unit.cols, unit_end, wanted - done, solver.team(), scores, order);
      done = wanted;
    }
    ParallelFor(solver.team(), Blocks(task.rows, kRowsOfTask), [&](size_t chunk, size_t) {
      for (size_t row = chunk * kRowsOfTask; row < std::min(task.rows, (chunk + 1) * kRowsOfTask); ++row) {
        PruneRow(task, row, begin, end, errors.data() + row * (end - begin));
      }
    });
    if (end == task.cols) break;
    solver.MultiplyAdd<double>(
        {task.rows, end - begin, task.cols - end, false}, -1, {errors.data(), end - begin, 1},
        {task.factor + begin * task.cols + end, task.cols, 1}, task.weights + end, task.cols);
  }
}

}  // namespace espalier
