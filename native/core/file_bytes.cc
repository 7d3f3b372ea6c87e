#include "core/file_bytes.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "core/error.h"

namespace espalier {
namespace {

[[noreturn]] void Fail(const std::string& path, const std::string& reason) {
  throw Error(ErrorCode::kFile, "Expected a readable model at " + path + ": " + reason);
}

}  // namespace

InputFile::InputFile(const std::string& path) : path_(path), file_(std::fopen(path.c_str(), "rb")) {
  if (file_ == nullptr) Fail(path, std::strerror(errno));
  try {
    identity_ = Identify();
  } catch (...) {
    std::fclose(file_);
    throw;
  }
}

FileIdentity InputFile::Identify() const {
  struct stat info;
  if (fstat(fileno(file_), &info) != 0) Fail(path_, std::strerror(errno));
  if (!S_ISREG(info.st_mode)) Fail(path_, "it is no regular file");
  int64_t nanoseconds = 0;
#if defined(__APPLE__)
  nanoseconds = info.st_mtimespec.tv_nsec;
#elif defined(__unix__)
  nanoseconds = info.st_mtim.tv_nsec;
#endif
  return {static_cast<uint64_t>(info.st_dev), static_cast<uint64_t>(info.st_ino),
          static_cast<uint64_t>(info.st_size), static_cast<int64_t>(info.st_mtime), nanoseconds};
}

std::shared_ptr<const FileBytes> InputFile::Load(bool map) const {
  const auto size = static_cast<size_t>(identity_.size);
  if (map && size > 0) {
    std::unique_ptr<GuardedMapping> mapping = GuardedMapping::Map(fileno(file_), size);
    if (mapping != nullptr) return std::make_shared<const FileBytes>(std::move(mapping), size);
  }
  AlignedBuffer<uint8_t> bytes(size);
  std::rewind(file_);
  const size_t read = size == 0 ? 0 : std::fread(bytes.data(), 1, size, file_);
  if (read != size && std::ferror(file_) != 0) Fail(path_, std::strerror(errno));
  if (read != size || !(Identify() == identity_)) Fail(path_, "it changed while it was read");
  return std::make_shared<const FileBytes>(std::move(bytes));
}

}  // namespace espalier
