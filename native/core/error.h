#pragma once

#include <stdexcept>
#include <string>

namespace espalier {

// The codes of src/errors.ts that native code can raise.
enum class ErrorCode { kArgument, kFile, kModel, kUnsupported, kType, kShape, kReleased, kMemory, kInternal };

// "ERR_ESPALIER_SHAPE" and so on.
const char* ErrorCodeName(ErrorCode code) noexcept;

// Thrown while a plan or a weight is built, never by kernels and never by Session::Run.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

}  // namespace espalier
