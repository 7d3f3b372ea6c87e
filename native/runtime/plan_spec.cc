#include "runtime/plan_spec.h"

#include "core/error.h"

namespace espalier {

void StepSpec::Fail(const std::string& expected) const {
  throw Error(ErrorCode::kInternal, "Step " + op + " of node \"" + name + "\": expected " + expected);
}

void StepSpec::ExpectFloat32() const {
  for (const std::vector<TensorRef>* tensors : {&inputs, &outputs}) {
    for (const TensorRef& tensor : *tensors) Expect(tensor.dtype == DType::kFloat32, "float32 tensors");
  }
}

int64_t StepSpec::Int(const char* key) const { return Ints(key, 1)[0]; }

int64_t StepSpec::Int(const char* key, int64_t fallback) const {
  return ints.count(key) ? Int(key) : fallback;
}

const std::vector<int64_t>& StepSpec::Ints(const char* key, size_t length) const {
  const auto found = ints.find(key);
  Expect(found != ints.end() && found->second.size() == length,
         std::to_string(length) + " integers in " + key);
  return found->second;
}

size_t StepSpec::Size(const char* key) const {
  const int64_t value = Int(key);
  Expect(value >= 0, std::string("a non-negative integer in ") + key);
  return static_cast<size_t>(value);
}

std::vector<size_t> StepSpec::Sizes(const char* key) const {
  const auto found = ints.find(key);
  Expect(found != ints.end(), std::string("integers in ") + key);
  std::vector<size_t> sizes;
  for (int64_t value : found->second) {
    Expect(value >= 0, std::string("non-negative integers in ") + key);
    sizes.push_back(static_cast<size_t>(value));
  }
  return sizes;
}

double StepSpec::Float(const char* key, double fallback) const {
  const auto found = floats.find(key);
  if (found == floats.end()) return fallback;
  Expect(found->second.size() == 1, std::string("one number in ") + key);
  return found->second[0];
}

const std::vector<double>& StepSpec::Floats(const char* key, size_t length) const {
  const auto found = floats.find(key);
  Expect(found != floats.end() && found->second.size() == length,
         std::to_string(length) + " numbers in " + key);
  return found->second;
}

}  // namespace espalier
