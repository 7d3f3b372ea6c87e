#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "runtime/tensor_ref.h"

namespace espalier {

// One step of a plan as the compiler states it: which native operator, on which tensors, with which numbers.
struct StepSpec {
  std::string op;    // a name of runtime/ops/registry.cc
  std::string name;  // the model's node, for messages
  std::vector<TensorRef> inputs;
  std::vector<TensorRef> outputs;
  std::map<std::string, std::vector<int64_t>> ints;
  std::map<std::string, std::vector<double>> floats;
  std::vector<size_t> weights;  // ids of packed weights of the session, one per group

  // Readers that throw Error{kInternal} naming the step when the number is missing or not as long as
  // expected.
  int64_t Int(const char* key) const;
  int64_t Int(const char* key, int64_t fallback) const;
  const std::vector<int64_t>& Ints(const char* key, size_t length) const;
  size_t Size(const char* key) const;
  std::vector<size_t> Sizes(const char* key) const;
  double Float(const char* key, double fallback) const;
  const std::vector<double>& Floats(const char* key, size_t length) const;

  // Throws Error{kInternal} unless `condition` holds.
  void Expect(bool condition, const std::string& what) const {
    if (!condition) Fail(what);
  }
  [[noreturn]] void Fail(const std::string& expected) const;
  // The same unless every input and output is float32.
  void ExpectFloat32() const;
};

struct PlanSpec {
  size_t arena_bytes = 0;
  std::vector<size_t> input_bytes;
  std::vector<size_t> output_bytes;
  std::vector<std::vector<uint8_t>> constants;  // Space::kPlanConstant
  std::vector<StepSpec> steps;
};

}  // namespace espalier
