#include "linalg/refit.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <numeric>
#include <vector>

#include "linalg/parallel.h"
#include "linalg/solver.h"

namespace espalier {
namespace {

// Rows order[begin, end) keep the same columns.
struct Group {
  size_t begin;
  size_t end;
};

// What one factorisation needs, for at most `most` kept columns.
struct Workspace {
  Workspace(const KernelTable& kernels, ThreadTeam* team, size_t most, size_t vectors)
      : solver(kernels, team, most), factor(most * most), columns(most) {
    for (size_t i = 0; i < vectors; ++i) solutions.emplace_back(most);
  }
  Solver solver;
  AlignedBuffer<double> factor;
  std::vector<size_t> columns;
  std::vector<std::vector<double>> solutions;  // by thread
};

bool SolveGroup(const RefitTask& task, const std::vector<size_t>& order, Group group, Workspace& work) {
  const uint8_t* kept = task.kept + order[group.begin] * task.cols;
  size_t n = 0;
  for (size_t col = 0; col < task.cols; ++col) {
    if (kept[col] != 0) work.columns[n++] = col;
  }
  for (size_t i = 0; i < n; ++i) {
    const double* row = task.gram + work.columns[i] * task.cols;
    for (size_t j = 0; j <= i; ++j) work.factor[i * n + j] = row[work.columns[j]];
    work.factor[i * n + i] += task.ridge;
  }
  if (!work.solver.Factor(work.factor.data(), n)) return false;
  ParallelFor(work.solver.team(), group.end - group.begin, [&](size_t i, size_t thread) {
    const size_t row = order[group.begin + i];
    double* x = work.solutions[thread].data();
    for (size_t k = 0; k < n; ++k) x[k] = task.target[row * task.cols + work.columns[k]];
    SolveFactored(work.factor.data(), n, x);
    std::fill_n(task.weights + row * task.cols, task.cols, 0.0);
    for (size_t k = 0; k < n; ++k) task.weights[row * task.cols + work.columns[k]] = x[k];
  });
  return true;
}

std::vector<Group> GroupRows(const RefitTask& task, std::vector<size_t>& order) {
  const auto compare = [&](size_t a, size_t b) {
    return std::memcmp(task.kept + a * task.cols, task.kept + b * task.cols, task.cols);
  };
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const int difference = compare(a, b);
    return difference != 0 ? difference < 0 : a < b;
  });
  std::vector<Group> groups;
  for (size_t i = 0; i < order.size(); ++i) {
    if (i == 0 || compare(order[i - 1], order[i]) != 0) groups.push_back({i, i});
    groups.back().end = i + 1;
  }
  return groups;
}

size_t MostKept(const RefitTask& task) {
  size_t most = 1;
  for (size_t row = 0; row < task.rows; ++row) {
    const uint8_t* kept = task.kept + row * task.cols;
    most = std::max<size_t>(most, task.cols - std::count(kept, kept + task.cols, 0));
  }
  return most;
}

}  // namespace

bool Refit(const RefitTask& task, const KernelTable& kernels, ThreadTeam& team) {
  std::vector<size_t> order(task.rows);
  const std::vector<Group> groups = GroupRows(task, order);
  const size_t most = MostKept(task);
  if (groups.size() < 4 * team.size()) {  // few: all threads work on one
    Workspace work(kernels, &team, most, team.size());
    return std::all_of(groups.begin(), groups.end(),
                       [&](Group group) { return SolveGroup(task, order, group, work); });
  }
  std::vector<std::unique_ptr<Workspace>> work;
  for (size_t i = 0; i < team.size(); ++i)
    work.push_back(std::make_unique<Workspace>(kernels, nullptr, most, 1));
  std::atomic<bool> failed{false};
  ParallelFor(&team, groups.size(), [&](size_t i, size_t thread) {
    if (!SolveGroup(task, order, groups[i], *work[thread])) failed.store(true);
  });
  return !failed.load();
}

}  // namespace espalier
