// Copies of an input to the memory that it lies in already: a cache that a model writes into.

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "isa/isa.h"
#include "runtime/session.h"

namespace espalier {
namespace {

// present [1, past + 1, width] is past, then one more row.
PlanSpec AppendPlan(size_t past, size_t width) {
  PlanSpec plan;
  const size_t row = width * sizeof(float);
  plan.input_bytes = {past * row, row};
  plan.output_bytes = {(past + 1) * row};
  for (size_t i = 0; i < 2; ++i) {
    StepSpec step;
    step.op = "copy";
    step.name = "append";
    const size_t rows = i == 0 ? past : 1;
    TensorRef x;
    x.space = Space::kInput;
    x.index = i;
    x.dims = {rows, width};
    TensorRef y;
    y.space = Space::kOutput;
    y.dims = {past + 1, width};
    step.inputs = {x};
    step.outputs = {y};
    step.ints["dims"] = {static_cast<int64_t>(rows), static_cast<int64_t>(width)};
    step.ints["x_strides"] = step.ints["y_strides"] = {static_cast<int64_t>(width), 1};
    step.ints["x_start"] = {0};
    step.ints["y_start"] = {static_cast<int64_t>(i == 0 ? 0 : past * width)};
    plan.steps.push_back(step);
  }
  return plan;
}

TEST(InPlace, WritesNothingWhereTheCacheLies) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t width = 16;
  const size_t past = page / sizeof(float) / width;
  void* const memory = mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  auto* const cache = static_cast<float*>(memory);
  std::fill_n(cache, past * width, 1.0f);
  ASSERT_EQ(mprotect(memory, page, PROT_READ), 0);  // a write to the past would end the test
  const std::vector<float> fresh(width, 2.0f);
  for (const KernelTable* kernels : AvailableKernels()) {
    for (const size_t threads : {1, 3}) {
      Session session(*kernels, threads);
      const auto plan = session.FindPlan(session.CreatePlan(AppendPlan(past, width)));
      std::fill_n(cache + past * width, width, 0.0f);
      const uint8_t* inputs[] = {reinterpret_cast<const uint8_t*>(cache),
                                 reinterpret_cast<const uint8_t*>(fresh.data())};
      uint8_t* outputs[] = {reinterpret_cast<uint8_t*>(cache)};
      session.Run(*plan, inputs, outputs);
      EXPECT_EQ(cache[0], 1.0f);
      EXPECT_EQ(cache[past * width + width - 1], 2.0f);
    }
  }
  munmap(memory, 2 * page);
}

}  // namespace
}  // namespace espalier
