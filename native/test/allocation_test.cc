// A run allocates nothing: every operator new of this program is counted. (Inlined, GCC takes malloc and
// delete for a mismatch.)

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "isa/isa.h"
#include "runtime/session.h"

namespace {
std::atomic<size_t> allocations{0};
}  // namespace

__attribute__((noinline)) void* operator new(size_t bytes) {
  ++allocations;
  if (void* memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
  throw std::bad_alloc();
}
__attribute__((noinline)) void operator delete(void* memory) noexcept { std::free(memory); }
__attribute__((noinline)) void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace espalier {
namespace {

TEST(Plan, ARunAllocatesNothing) {
  for (size_t threads : {1, 3}) {
    Session session(SelectKernels("auto"), threads);
    const std::vector<float> numbers(64 * 9, 0.5f);
    const MatrixView view{
        reinterpret_cast<const uint8_t*>(numbers.data()), numbers.size() * sizeof(float), 64, 9, 0, 9, 1};
    const TensorRef x{Space::kInput, 0, 0, DType::kFloat32, {1, 1, 40, 40}};
    const TensorRef hidden{Space::kArena, 0, 0, DType::kFloat32, {1, 64, 40, 40}};
    const TensorRef pooled{Space::kArena, 0, 64 * 1600 * sizeof(float), DType::kFloat32, {1, 64, 20, 20}};
    const TensorRef y{Space::kOutput, 0, 0, DType::kFloat32, {1, 64, 20, 20}};

    PlanSpec plan;
    plan.input_bytes = {x.Bytes()};
    plan.output_bytes = {y.Bytes()};
    plan.arena_bytes = hidden.Bytes() + pooled.Bytes();
    StepSpec conv;
    conv.op = "conv2d";
    conv.inputs = {x};
    conv.outputs = {hidden};
    conv.ints["kernel"] = {3, 3};
    conv.ints["strides"] = conv.ints["dilations"] = conv.ints["pads"] = {1, 1};
    conv.weights = {session.AddWeights(view, WeightFormat::kDense)};
    StepSpec pool;
    pool.op = "pool2d";
    pool.inputs = {hidden};
    pool.outputs = {pooled};
    pool.ints["kernel"] = pool.ints["strides"] = {2, 2};
    pool.ints["dilations"] = {1, 1};
    pool.ints["pads"] = {0, 0};
    pool.ints["average"] = {0};
    StepSpec softmax;
    softmax.op = "softmax";
    softmax.inputs = {pooled};
    softmax.outputs = {y};
    softmax.ints = {{"outer", {64}}, {"n", {20}}, {"inner", {20}}};
    StepSpec add;
    add.op = "binary";
    add.inputs = {y, pooled};
    add.outputs = {y};
    add.ints = {{"dims", {25600}}, {"a_strides", {1}}, {"b_strides", {1}}, {"op", {0}}};
    plan.steps = {conv, pool, softmax, add};

    const std::shared_ptr<Plan> built = session.FindPlan(session.CreatePlan(plan));
    const std::vector<uint8_t> input(x.Bytes());
    std::vector<uint8_t> output(y.Bytes());
    const uint8_t* from = input.data();
    uint8_t* to = output.data();
    const size_t before = allocations;
    for (int run = 0; run < 3; ++run) session.Run(*built, &from, &to);
    EXPECT_EQ(allocations - before, 0u) << threads << " threads";
    const size_t after = allocations;
    const std::vector<int> seen(3);
    EXPECT_EQ(allocations - after, 1u) << "the counter counts";
  }
}

}  // namespace
}  // namespace espalier
