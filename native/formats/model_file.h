#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/file_bytes.h"
#include "core/shared_bytes.h"
#include "formats/packed_weights.h"

namespace espalier {

// Bytes [offset, offset + size) of a file.
struct ByteRange {
  uint64_t offset = 0;
  uint64_t size = 0;
};

// A file that holds weights in the kernels' formats. Where they lie says whoever has read its header; nothing
// of that is trusted. All sessions of a process share one ModelFile for one file, and the weights in it.
class ModelFile {
 public:
  using Ranges = std::array<ByteRange, kSections>;

  // The file's ModelFile: one that is open already when nothing has changed since. `map`: as in
  // InputFile::Load.
  static std::shared_ptr<const ModelFile> Open(const std::string& path, bool map);
  // A copy of the bytes.
  static std::shared_ptr<const ModelFile> FromBytes(const uint8_t* bytes, size_t size);

  explicit ModelFile(std::shared_ptr<const FileBytes> bytes) : bytes_(std::move(bytes)) {}

  size_t size() const { return bytes_->size(); }
  bool mapped() const { return bytes_->mapped(); }
  // Throws Error{kFile} when a part of the file that was needed is gone; zeros were read in its place.
  void CheckThere() const;

  // Throws Error{kModel} unless the range lies in the file.
  void Check(ByteRange range) const;
  // Copies the range to `out`. Throws as Check and CheckThere.
  void Read(ByteRange range, uint8_t* out) const;
  // Numbers in place where alignment allows, else a copy. Throws as Check.
  SharedBytes Numbers(ByteRange range) const;
  // A packed matrix whose sections lie at these ranges. Throws as Check, and what PackedWeights::FromSections
  // throws.
  std::shared_ptr<const PackedWeights> Weights(const PackedShape& shape, const Ranges& sections) const;

 private:
  SharedBytes Copy(ByteRange range) const;

  std::shared_ptr<const FileBytes> bytes_;
  mutable std::mutex mutex_;
  mutable std::map<std::vector<uint64_t>, std::weak_ptr<const PackedWeights>>
      weights_;  // by shape and ranges
};

}  // namespace espalier
