// Random plans of one step each: sensible ones, and ones where a number, a type, a dim or an offset became
// absurd. Each throws, or runs inside its memory (which the sanitizer build sees) with the same result for
// every number of threads. Where operators promise values, other tests and those of ONNX check them.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>

#include "isa/isa.h"
#include "plan_fuzzer.h"
#include "runtime/session.h"

// Absurd sizes are refused by the allocator, as they are without a sanitizer.
extern "C" __attribute__((visibility("default"))) const char* __asan_default_options() {
  return "allocator_may_return_null=1";
}
extern "C" __attribute__((visibility("default"))) const char* __tsan_default_options() {
  return "allocator_may_return_null=1";
}

namespace espalier {
namespace {

// For each operator two hundred.
const size_t kPlans = 200 * PlanFuzzer::operators();

enum class Outcome { kRefused, kFailed, kRan };

// Copies of exactly the needed size on the heap, so that a sanitizer sees every step outside.
Outcome RunCase(const PlanFuzzer::Case& fuzz, Session& session, std::vector<std::vector<uint8_t>>* results) {
  PlanSpec plan = fuzz.plan;
  for (size_t& id : plan.steps[0].weights) {
    const PlanFuzzer::Weights& w = fuzz.weights[id];
    const MatrixView view{reinterpret_cast<const uint8_t*>(w.values.data()),
                          w.values.size() * sizeof(float),
                          w.rows,
                          w.cols,
                          0,
                          w.cols,
                          1};
    id = w.winograd ? session.AddWinogradWeights(view, w.storage)
                    : session.AddWeights(view, w.format, w.storage);
  }
  size_t id = 0;
  try {
    id = session.CreatePlan(plan);
  } catch (const Error&) {
    return Outcome::kRefused;
  } catch (const std::bad_alloc&) {
    return Outcome::kRefused;
  } catch (const std::length_error&) {
    return Outcome::kRefused;
  }
  const auto exact = [](size_t bytes) { return std::unique_ptr<uint8_t[]>(new uint8_t[bytes]); };
  std::vector<std::unique_ptr<uint8_t[]>> memory;
  std::vector<const uint8_t*> inputs;
  std::vector<uint8_t*> outputs;
  for (const std::vector<uint8_t>& feed : fuzz.feeds) {
    memory.push_back(exact(feed.size()));
    std::copy(feed.begin(), feed.end(), memory.back().get());
    inputs.push_back(memory.back().get());
  }
  for (size_t bytes : plan.output_bytes) {
    memory.push_back(exact(bytes));
    std::fill_n(memory.back().get(), bytes, uint8_t{0x5a});
    outputs.push_back(memory.back().get());
  }
  const std::shared_ptr<Plan> built = session.FindPlan(id);
  session.ReleasePlan(id);
  try {
    session.Run(*built, inputs.data(), outputs.data());
  } catch (const Error&) {
    return Outcome::kFailed;
  }
  results->clear();
  for (size_t i = 0; i < outputs.size(); ++i)
    results->emplace_back(outputs[i], outputs[i] + plan.output_bytes[i]);
  return Outcome::kRan;
}

// Bit for bit, but that one NaN is as good as another.
void ExpectSame(DType dtype, const std::vector<uint8_t>& got, const std::vector<uint8_t>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  if (dtype != DType::kFloat32) {
    EXPECT_EQ(got, expected);
    return;
  }
  for (size_t i = 0; i + sizeof(float) <= got.size(); i += sizeof(float)) {
    float a;
    float b;
    std::memcpy(&a, got.data() + i, sizeof(a));
    std::memcpy(&b, expected.data() + i, sizeof(b));
    if (std::isnan(a) && std::isnan(b)) continue;
    ASSERT_EQ(std::memcmp(&a, &b, sizeof(a)), 0) << a << " is not " << b << " at " << i / sizeof(float);
  }
}

TEST(PlanFuzz, EveryPlanThrowsOrRunsInsideItsMemoryAndAlikeForAnyThreadCount) {
  const char* wanted = std::getenv("ESPALIER_FUZZ_PLANS");
  const size_t plans = wanted ? static_cast<size_t>(std::atoll(wanted)) : kPlans;
  const char* seed = std::getenv("ESPALIER_FUZZ_SEED");
  PlanFuzzer fuzzer(seed ? static_cast<uint32_t>(std::atoll(seed)) : 1);
  std::vector<std::unique_ptr<Session>> one;
  std::vector<std::unique_ptr<Session>> several;
  std::map<std::string, size_t> ran;
  for (size_t i = 0; i < plans; ++i) {
    const size_t isas = AvailableKernels().size();
    if (i % 500 == 0) {  // sessions keep all weights they ever had
      one.clear(), several.clear();
      for (const KernelTable* kernels : AvailableKernels()) {
        one.push_back(std::make_unique<Session>(*kernels, 1));
        several.push_back(std::make_unique<Session>(*kernels, 2 + i / 500 % 3));
      }
    }
    const PlanFuzzer::Case fuzz = fuzzer.Next();
    std::vector<std::vector<uint8_t>> expected;
    std::vector<std::vector<uint8_t>> got;
    const Outcome outcome = RunCase(fuzz, *one[i % isas], &expected);
    ASSERT_EQ(RunCase(fuzz, *several[i % isas], &got), outcome) << "plan " << i;
    if (outcome != Outcome::kRan) continue;
    ++ran[fuzz.plan.steps[0].op];
    // CSR kernels add in more chains the narrower the panel, and more threads get narrower panels.
    const auto is_csr = [](const PlanFuzzer::Weights& w) { return w.format == WeightFormat::kCsr; };
    if (std::any_of(fuzz.weights.begin(), fuzz.weights.end(), is_csr)) continue;
    for (size_t output = 0; output < got.size(); ++output) {
      ExpectSame(fuzz.plan.steps[0].outputs[output].dtype, got[output], expected[output]);
    }
    ASSERT_FALSE(HasFailure()) << "plan " << i << ", " << fuzz.plan.steps[0].op;
  }
  if (plans >= kPlans) {
    EXPECT_EQ(ran.size(), PlanFuzzer::operators()) << "every operator ran";
    for (const auto& [op, count] : ran) EXPECT_GT(count, plans / PlanFuzzer::operators() / 6) << op;
  }
}

}  // namespace
}  // namespace espalier
