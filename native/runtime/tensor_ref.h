#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/sizes.h"

namespace espalier {

enum class DType : uint8_t {
  kFloat32,
  kFloat64,
  kFloat16,
  kBfloat16,
  kInt8,
  kUint8,
  kInt16,
  kUint16,
  kInt32,
  kUint32,
  kInt64,
  kUint64,
  kBool
};

// The names of src/tensor.ts. Throws Error{kType} for an unknown one.
DType ParseDType(const std::string& name);
const char* DTypeName(DType dtype) noexcept;
size_t SizeOf(DType dtype) noexcept;  // bytes per element

// Where a tensor lives during a run. kConstant: a constant of the session; kPlanConstant: of one plan.
enum class Space : uint8_t { kArena, kInput, kOutput, kConstant, kPlanConstant };

// A dense row-major tensor at a fixed place.
struct TensorRef {
  Space space = Space::kArena;
  size_t index = 0;   // which input, output or constant
  size_t offset = 0;  // bytes from its start
  DType dtype = DType::kFloat32;
  std::vector<size_t> dims;

  // SIZE_MAX when it does not fit.
  size_t Elements() const {
    size_t n = 1;
    for (size_t dim : dims) n = MultiplySizes(n, dim);
    return n;
  }
  size_t Bytes() const { return MultiplySizes(Elements(), SizeOf(dtype)); }
};

// "float32 [1, 3, 48]", for messages.
std::string Describe(const TensorRef& tensor);

}  // namespace espalier
