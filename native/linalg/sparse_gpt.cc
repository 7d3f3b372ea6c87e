#include "linalg/sparse_gpt.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "linalg/parallel.h"

namespace espalier {
namespace {

constexpr size_t kBlockCols = 128;

// Columns that are worked on together: as near to 128 as units and groups of N:M divide.
size_t BlockWidth(const UnitShape& unit) {
  const size_t step = unit.of != 0 ? unit.of : unit.cols;
  return std::max<size_t>(1, kBlockCols / step) * step;
}

double Saliency(const SparseGptTask& task, size_t row, size_t col) {
  const double ratio = task.weights[row * task.grid.cols + col] / task.factor[col * task.grid.cols + col];
  return ratio * ratio;
}

// Prunes the columns [begin, end) of a row, and lets those after each take over; errors[end - begin] say what
// is left for the columns from `end` on. `block` is L of these columns, transposed: [end - begin, end -
// begin].
void PruneRow(const SparseGptTask& task, size_t row, size_t begin, size_t end, const double* block,
              double* errors) {
  const size_t cols = task.grid.cols;
  const UnitShape& unit = task.grid.unit;
  double* weights = task.weights + row * cols;
  uint8_t* removed = task.removed + row / unit.rows * task.grid.unit_cols();
  for (size_t col = begin; col < end; ++col) {
    if (unit.of != 0 && (col - begin) % unit.of == 0) {
      MarkAllButHighest(
          col, std::min(end, col + unit.of), unit.kept, [&](size_t c) { return Saliency(task, row, c); },
          removed);
    }
    errors[col - begin] = 0;
    if (removed[col / unit.cols] == 0) continue;
    const double* factors = block + (col - begin) * (end - begin);
    const double error = weights[col] / factors[col - begin];
    for (size_t later = col + 1; later < end; ++later) weights[later] -= error * factors[later - begin];
    weights[col] = 0;
    errors[col - begin] = error;
  }
}

}  // namespace

void SparseGpt(const SparseGptTask& task, Solver& solver) {
  const UnitGrid& grid = task.grid;
  const size_t rows = grid.rows;
  const size_t cols = grid.cols;
  const UnitShape& unit = grid.unit;
  const size_t width = BlockWidth(unit);
  const size_t units = grid.unit_rows() * grid.unit_cols();
  std::fill_n(task.removed, units, uint8_t{0});
  std::vector<double> errors(rows * std::min(width, cols));
  std::vector<double> block(std::min(width, cols) * std::min(width, cols));
  const bool chosen_first = unit.of == 0;
  UnitSelector selector(grid, chosen_first ? CeilDiv(width, unit.cols) : 0, solver.team());
  size_t done = 0;
  for (size_t begin = 0; begin < cols; begin += width) {
    const size_t end = std::min(cols, begin + width);
    if (chosen_first) {
      const size_t unit_end = CeilDiv(end, unit.cols);
      const double share = static_cast<double>(grid.unit_rows() * unit_end) / static_cast<double>(units);
      const size_t wanted =
          end == cols ? task.removals
                      : static_cast<size_t>(std::llround(static_cast<double>(task.removals) * share));
      selector.MarkLowest(
          begin / unit.cols, unit_end, wanted - done,
          [&](size_t row, size_t col) { return Saliency(task, row, col); }, task.removed);
      done = wanted;
    }
    for (size_t later = begin; later < end; ++later) {
      for (size_t col = begin; col <= later; ++col)
        block[(col - begin) * (end - begin) + later - begin] = task.factor[later * cols + col];
    }
    ParallelFor(solver.team(), CeilDiv(rows, kRowsOfTask), [&](size_t chunk, size_t) {
      for (size_t row = chunk * kRowsOfTask; row < std::min(rows, (chunk + 1) * kRowsOfTask); ++row) {
        PruneRow(task, row, begin, end, block.data(), errors.data() + row * (end - begin));
      }
    });
    if (end == cols) break;
    solver.MultiplyAdd<double>({rows, end - begin, cols - end, false}, -1, {errors.data(), end - begin, 1},
                               {task.factor + end * cols + begin, 1, cols}, task.weights + end, cols);
  }
}

}  // namespace espalier
