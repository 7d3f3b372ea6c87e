#include "core/error.h"

namespace espalier {

const char* ErrorCodeName(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::kArgument:
      return "ERR_ESPALIER_ARGUMENT";
    case ErrorCode::kFile:
      return "ERR_ESPALIER_FILE";
    case ErrorCode::kModel:
      return "ERR_ESPALIER_MODEL";
    case ErrorCode::kUnsupported:
      return "ERR_ESPALIER_UNSUPPORTED";
    case ErrorCode::kType:
      return "ERR_ESPALIER_TYPE";
    case ErrorCode::kShape:
      return "ERR_ESPALIER_SHAPE";
    case ErrorCode::kReleased:
      return "ERR_ESPALIER_RELEASED";
    case ErrorCode::kMemory:
      return "ERR_ESPALIER_MEMORY";
    case ErrorCode::kInternal:
      break;
  }
  return "ERR_ESPALIER_INTERNAL";
}

}  // namespace espalier
