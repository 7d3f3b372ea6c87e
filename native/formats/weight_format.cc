#include "formats/weight_format.h"

#include <iterator>

#include "core/error.h"

namespace espalier {
namespace {

constexpr const char* kFormatNames[] = {"dense", "block16", "block8", "block4", "csr", "sell", "ell"};
constexpr const char* kStorageNames[] = {"float32", "float16"};

template <typename Names>
size_t Find(const Names& names, const std::string& name, const char* what) {
  std::string known;
  for (size_t i = 0; i < std::size(names); ++i) {
    if (name == names[i]) return i;
    known += std::string(i == 0 ? "\"" : ", \"") + names[i] + "\"";
  }
  throw Error(ErrorCode::kArgument,
              std::string("Expected ") + what + " (" + known + "), got \"" + name + "\"");
}

}  // namespace

WeightFormat ParseWeightFormat(const std::string& name) {
  return static_cast<WeightFormat>(Find(kFormatNames, name, "a weight format"));
}

const char* NameOf(WeightFormat format) { return kFormatNames[static_cast<size_t>(format)]; }

Storage ParseStorage(const std::string& name) {
  return static_cast<Storage>(Find(kStorageNames, name, "a storage of weights"));
}

const char* NameOf(Storage storage) { return kStorageNames[static_cast<size_t>(storage)]; }

size_t BlockRows(WeightFormat format) {
  switch (format) {
    case WeightFormat::kDense:
    case WeightFormat::kBlock16:
    case WeightFormat::kEll:
      return 16;
    case WeightFormat::kBlock8:
      return 8;
    case WeightFormat::kBlock4:
      return 4;
    case WeightFormat::kCsr:
    case WeightFormat::kSell:
      break;
  }
  return 1;
}

}  // namespace espalier
