#include "linalg/refit.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <numeric>
#include <vector>

#include "linalg/lent_triangle.h"
#include "linalg/parallel.h"
#include "linalg/solver.h"

namespace espalier {
namespace {

// Rows order[begin, end) keep the same columns.
struct Group {
  size_t begin;
  size_t end;
};

// Factors of all threads together that are worth memory beside the matrix, in elements: 32 MiB.
constexpr size_t kMostElements = size_t{1} << 22;

// What one factorisation needs, for at most `most` kept columns. Its matrix is lent, or its own.
struct Workspace {
  Workspace(const KernelTable& kernels, ThreadTeam* team, size_t most, size_t vectors)
      : solver(kernels, team, most), columns(most) {
    for (size_t i = 0; i < vectors; ++i) solutions.emplace_back(most);
  }
  Solver solver;
  std::vector<size_t> columns;
  std::vector<std::vector<double>> solutions;  // by thread
  AlignedBuffer<double> own;                   // [most, most]
};

// Row-major, [n, n] at least.
struct Factor {
  double* data;
  size_t stride;
};

bool SolveGroup(const RefitTask& task, const LentTriangle& gram, const std::vector<size_t>& order,
                Group group, Factor factor, Workspace& work) {
  const uint8_t* kept = task.kept + order[group.begin] * task.cols;
  size_t n = 0;
  for (size_t col = 0; col < task.cols; ++col) {
    if (kept[col] != 0) work.columns[n++] = col;
  }
  gram.Gather(work.columns.data(), n, task.ridge, factor.data, factor.stride);
  if (!work.solver.Factor(factor.data, n, factor.stride)) return false;
  ParallelFor(work.solver.team(), group.end - group.begin, [&](size_t i, size_t thread) {
    const size_t row = order[group.begin + i];
    double* x = work.solutions[thread].data();
    for (size_t k = 0; k < n; ++k) x[k] = task.target[row * task.cols + work.columns[k]];
    SolveFactored(factor.data, n, factor.stride, x);
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
  const LentTriangle gram(task.gram, task.cols);
  // Few, or large ones: all threads work on one, in the memory of the matrix.
  if (groups.size() < 4 * team.size() || team.size() * most * most > kMostElements) {
    Workspace work(kernels, &team, most, team.size());
    return std::all_of(groups.begin(), groups.end(), [&](Group group) {
      return SolveGroup(task, gram, order, group, {gram.data(), task.cols}, work);
    });
  }
  std::vector<std::unique_ptr<Workspace>> work;
  for (size_t i = 0; i < team.size(); ++i) {
    work.push_back(std::make_unique<Workspace>(kernels, nullptr, most, 1));
    work.back()->own = AlignedBuffer<double>(most * most);
  }
  std::atomic<bool> failed{false};
  ParallelFor(&team, groups.size(), [&](size_t i, size_t thread) {
    Workspace& own = *work[thread];
    if (!SolveGroup(task, gram, order, groups[i], {own.own.data(), most}, own)) failed.store(true);
  });
  return !failed.load();
}

}  // namespace espalier
