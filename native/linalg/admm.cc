#include "linalg/admm.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/aligned_buffer.h"
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
        pulled_(size_) {
    for (size_t j = 0; j < cols_; ++j) scales_[j] = std::sqrt(task.gram[j * cols_ + j] + task.damping);
  }

  bool Run() {
    AlignedBuffer<double> inverse(cols_ * cols_);
    if (!Prepare(inverse.data())) return false;
    for (size_t iteration = 0; iteration < kIterations; ++iteration) {
      Choose(RemovalsAt(iteration, task_.removals));
      if (iteration + 1 == kIterations) break;
      Pull();
      std::fill_n(v_.data(), size_, 0.0);
      solver_.MultiplyAdd<double>({task_.grid.rows, cols_, cols_, false}, 1, {pulled_.data(), cols_, 1},
                                  {inverse.data(), cols_, 1}, v_.data(), cols_);
    }
    return true;
  }

 private:
  // V = W, what V is pulled to by the data, and (H + penalty)^-1 in the place of H.
  bool Prepare(double* h) {
    for (size_t i = 0; i < cols_; ++i) {
      for (size_t j = 0; j <= i; ++j) {
        const double value = task_.gram[i * cols_ + j] / (scales_[i] * scales_[j]);
        h[i * cols_ + j] = value;
        h[j * cols_ + i] = value;
      }
      h[i * cols_ + i] = 1;
    }
    for (size_t start = 0; start < size_; start += cols_) {
      for (size_t j = 0; j < cols_; ++j) v_[start + j] = task_.weights[start + j] * scales_[j];
    }
    std::fill_n(target_.data(), size_, 0.0);
    std::fill_n(dual_.data(), size_, 0.0);
    solver_.MultiplyAdd<double>({task_.grid.rows, cols_, cols_, false}, 1, {v_.data(), cols_, 1},
                                {h, cols_, 1}, target_.data(), cols_);
    AlignedBuffer<double> factor(cols_ * cols_);
    if (!solver_.InverseFactor(h, kPenalty, factor.data(), cols_)) return false;
    std::fill_n(h, cols_ * cols_, 0.0);
    const View<double> u{factor.data(), cols_, 1};
    solver_.MultiplyAdd<double>({cols_, cols_, cols_, false}, 1, u.Transposed(), u, h, cols_);
    return true;
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

  // Z = what is kept of V + dual; dual += V - Z; what V is solved from next: target + penalty (Z - dual).
  void Pull() {
    const UnitShape& unit = task_.grid.unit;
    ParallelFor(solver_.team(), task_.grid.rows, [&](size_t row, size_t) {
      const uint8_t* removed = task_.removed + row / unit.rows * task_.grid.unit_cols();
      for (size_t col = 0, at = row * cols_; col < cols_; ++col, ++at) {
        const double sum = v_[at] + dual_[at];
        const double kept = removed[col / unit.cols] != 0 ? 0 : sum;
        dual_[at] = sum - kept;
        pulled_[at] = target_[at] + kPenalty * (kept - dual_[at]);
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
  AlignedBuffer<double> pulled_;
};

}  // namespace

bool AdmmMask(const AdmmTask& task, Solver& solver) { return Admm(task, solver).Run(); }

}  // namespace espalier
