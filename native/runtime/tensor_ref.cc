#include "runtime/tensor_ref.h"

#include "core/error.h"

namespace espalier {
namespace {

struct DTypeInfo {
  const char* name;
  size_t bytes;
};

// In the order of DType.
constexpr DTypeInfo kDTypes[] = {{"float32", 4}, {"float64", 8}, {"float16", 2}, {"bfloat16", 2},
                                 {"int8", 1},    {"uint8", 1},   {"int16", 2},   {"uint16", 2},
                                 {"int32", 4},   {"uint32", 4},  {"int64", 8},   {"uint64", 8},
                                 {"bool", 1}};

}  // namespace

DType ParseDType(const std::string& name) {
  for (size_t i = 0; i < sizeof(kDTypes) / sizeof(kDTypes[0]); ++i) {
    if (name == kDTypes[i].name) return static_cast<DType>(i);
  }
  throw Error(ErrorCode::kType, "Expected a data type, got \"" + name + "\"");
}

const char* DTypeName(DType dtype) noexcept { return kDTypes[static_cast<size_t>(dtype)].name; }

size_t SizeOf(DType dtype) noexcept { return kDTypes[static_cast<size_t>(dtype)].bytes; }

std::string Describe(const TensorRef& tensor) {
  std::string text = std::string(DTypeName(tensor.dtype)) + " [";
  for (size_t i = 0; i < tensor.dims.size(); ++i) text += (i ? ", " : "") + std::to_string(tensor.dims[i]);
  return text + "]";
}

}  // namespace espalier
