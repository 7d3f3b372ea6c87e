#include "linalg/admm.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/aligned_buffer.h"
#include "linalg/lent_triangle.h"
#include "linalg/parallel.h"

namespace espalier {
namespace {

constexpr size_t kIterations = 20;
constexpr size_t kGrowing = 15;  // iterations over which the sparsity grows
constexpr double kPenalty = 1;

// Units to remove in an iteration: removals * (1 - (1 - t)^3), t the share of the way.
size_t RemovalsAt(size_t iteration, size_t removals) {
  const double left = 1 - std::min(1.0, static_cast<double>(iteration + 1) / kGrowing);
  return static_cast<size_t>(std::llround(static_cast<double>(removals) * (1 - left * left * left)));
}

// The state of the iteration, for inputs scaled to norm 1.
class Admm {
 public:
  Admm(const AdmmTask& task, Solver& solver)
      : task_(task),
        solver_(solver),
        cols_(task.grid.cols),
        size_(task.grid.rows * cols_),
        selector_(task.grid, task.grid.unit.of == 0 ? task.grid.unit_cols() : 0, solver.team()),
        scales_(cols_),
        v_(size_),
        target_(size_),
        dual_(size_),
        half_(size_) {
    for (size_t j = 0; j < cols_; ++j) scales_[j] = std::sqrt(task.gram[j * cols_ + j] + task.damping);
  }

  bool Run() {
    FindTarget();
    const LentTriangle lent(task_.gram, cols_);
    double* factor = lent.data();
    for (size_t i = 0; i < cols_; ++i) {
      for (size_t j = 0; j < i; ++j) factor[i * cols_ + j] /= scales_[i] * scales_[j];
      factor[i * cols_ + i] = 1 + kPenalty;
    }
    if (!solver_.FactorInverse(factor, cols_, cols_)) return false;
    const View<double> lower{factor, cols_, 1, Part::kLower};
    for (size_t iteration = 0; iteration < kIterations; ++iteration) {
      Choose(RemovalsAt(iteration, task_.removals));
      if (iteration + 1 == kIterations) break;
      Pull();
      Multiply(v_, lower, half_);
      Multiply(half_, lower.Transposed(), v_);
    }
    return true;
  }

 private:
  // V = W, and what V is pulled to by the data, W H.
  void FindTarget() {
    Multiply({task_.weights, cols_, 1}, {task_.gram, cols_, 1}, target_);
    for (size_t at = 0; at < size_; ++at) {
      const size_t j = at % cols_;
      target_[at] = (target_[at] + task_.damping * task_.weights[at]) / scales_[j];
      v_[at] = task_.weights[at] * scales_[j];
      dual_[at] = 0;
    }
  }

  // out = a b, all but b of [rows, cols].
  void Multiply(View<double> a, View<double> b, AlignedBuffer<double>& out) {
    std::fill_n(out.data(), size_, 0.0);
    solver_.MultiplyAdd<double>({task_.grid.rows, cols_, cols_, false}, 1, a, b, out.data(), cols_);
  }
  void Multiply(const AlignedBuffer<double>& a, View<double> b, AlignedBuffer<double>& out) {
    Multiply({a.data(), cols_, 1}, b, out);
  }

  // The units that weigh least in V + dual.
  void Choose(size_t removals) {
    const UnitShape& unit = task_.grid.unit;
    const auto score = [&](size_t row, size_t col) {
      const double value = v_[row * cols_ + col] + dual_[row * cols_ + col];
      return value * value;
    };
    std::fill_n(task_.removed, task_.grid.unit_rows() * task_.grid.unit_cols(), uint8_t{0});
    if (unit.of == 0) {
      selector_.MarkLowest(0, task_.grid.unit_cols(), removals, score, task_.removed);
      return;
    }
    ParallelFor(solver_.team(), task_.grid.rows, [&](size_t row, size_t) {
      for (size_t col = 0; col < cols_; col += unit.of) {
        MarkAllButHighest(
            col, std::min(cols_, col + unit.of), unit.kept, [&](size_t c) { return score(row, c); },
            task_.removed + row * cols_);
      }
    });
  }

  // Z = what is kept of V + dual; dual += V - Z; V = what it is solved from next: target + penalty (Z -
  // dual).
  void Pull() {
    const UnitShape& unit = task_.grid.unit;
    ParallelFor(solver_.team(), task_.grid.rows, [&](size_t row, size_t) {
      const uint8_t* removed = task_.removed + row / unit.rows * task_.grid.unit_cols();
      for (size_t col = 0, at = row * cols_; col < cols_; ++col, ++at) {
        const double sum = v_[at] + dual_[at];
        const double kept = removed[col / unit.cols] != 0 ? 0 : sum;
        dual_[at] = sum - kept;
        v_[at] = target_[at] + kPenalty * (kept - dual_[at]);
      }
    });
  }

  const AdmmTask& task_;
  Solver& solver_;
  const size_t cols_;
  const size_t size_;
  UnitSelector selector_;
  std::vector<double> scales_;  // [cols]: norms of the inputs
  AlignedBuffer<double> v_;     // all four: [rows, cols]
  AlignedBuffer<double> target_;
  AlignedBuffer<double> dual_;
  AlignedBuffer<double> half_;
};

}  // namespace

bool AdmmMask(const AdmmTask& task, Solver& solver) { return Admm(task, solver).Run(); }

}  // namespace espalier
