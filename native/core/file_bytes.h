#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <tuple>

#include "core/aligned_buffer.h"
#include "core/guarded_mapping.h"

namespace espalier {

// The bytes of a file, mapped or read to memory, or those that a caller gave.
class FileBytes {
 public:
  explicit FileBytes(AlignedBuffer<uint8_t> bytes) : memory_(std::move(bytes)), size_(memory_.size()) {}
  FileBytes(std::unique_ptr<GuardedMapping> mapping, size_t size)
      : mapping_(std::move(mapping)), size_(size) {}

  const uint8_t* data() const { return mapped() ? mapping_->data() : memory_.data(); }
  size_t size() const { return size_; }
  // Bytes from data() on that can be read without a fault.
  size_t readable() const { return mapped() ? mapping_->readable() : size_ + kAlignment; }
  // Whether another program can change them.
  bool mapped() const { return mapping_ != nullptr; }
  // See GuardedMapping; the range lies in the file.
  void Forget(size_t offset, size_t size) const {
    if (mapped()) mapping_->Forget(offset, size);
  }
  // Whether a part that was mapped is gone; see GuardedMapping.
  bool lost() const { return mapped() && mapping_->lost(); }

 private:
  AlignedBuffer<uint8_t> memory_;
  std::unique_ptr<GuardedMapping> mapping_;
  size_t size_;
};

// Which file, and which state of it.
struct FileIdentity {
  uint64_t device;
  uint64_t inode;
  uint64_t size;
  int64_t seconds;      // of the last change
  int64_t nanoseconds;  // where the system tells

  auto Tie() const { return std::tie(device, inode, size, seconds, nanoseconds); }
  bool operator<(const FileIdentity& other) const { return Tie() < other.Tie(); }
  bool operator==(const FileIdentity& other) const { return Tie() == other.Tie(); }
};

// A file that is open for reading.
class InputFile {
 public:
  // Throws Error{kFile} unless it is a regular file that can be read.
  explicit InputFile(const std::string& path);
  ~InputFile() { std::fclose(file_); }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  const FileIdentity& identity() const { return identity_; }
  // All bytes: mapped when `map` and the system can, else read. Throws Error{kFile} when the file changes
  // meanwhile, Error{kMemory}.
  std::shared_ptr<const FileBytes> Load(bool map) const;

 private:
  FileIdentity Identify() const;

  std::string path_;
  std::FILE* file_;
  FileIdentity identity_;
};

}  // namespace espalier
