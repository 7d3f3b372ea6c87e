#include "formats/model_file.h"

#include "core/error.h"

namespace espalier {
namespace {

using Key = std::pair<FileIdentity, bool>;  // a mapped file and a copy of it are two

std::mutex open_mutex;

std::map<Key, std::weak_ptr<const ModelFile>>& OpenFiles() {
  static auto* const files = new std::map<Key, std::weak_ptr<const ModelFile>>();  // outlives every thread
  return *files;
}

// Forgets entries whose objects are gone.
template <typename Map>
void Sweep(Map& map) {
  for (auto entry = map.begin(); entry != map.end();) {
    entry = entry->second.expired() ? map.erase(entry) : std::next(entry);
  }
}

}  // namespace

std::shared_ptr<const ModelFile> ModelFile::Open(const std::string& path, bool map) {
  const InputFile file(path);
  const std::lock_guard<std::mutex> lock(open_mutex);
  Sweep(OpenFiles());
  std::weak_ptr<const ModelFile>& known = OpenFiles()[{file.identity(), map}];
  std::shared_ptr<const ModelFile> model = known.lock();
  if (model != nullptr && !model->bytes_->lost()) return model;
  model = std::make_shared<const ModelFile>(file.Load(map));
  known = model;
  return model;
}

std::shared_ptr<const ModelFile> ModelFile::FromBytes(const uint8_t* bytes, size_t size) {
  AlignedBuffer<uint8_t> copy(size);
  if (size != 0) std::memcpy(copy.data(), bytes, size);
  return std::make_shared<const ModelFile>(std::make_shared<const FileBytes>(std::move(copy)));
}

void ModelFile::Check(ByteRange range) const {
  if (range.offset <= size() && range.size <= size() - range.offset) return;
  throw Error(ErrorCode::kModel, "Expected bytes inside the model's " + std::to_string(size()) + ", got " +
                                     std::to_string(range.size) + " at " + std::to_string(range.offset));
}

void ModelFile::Read(ByteRange range, uint8_t* out) const {
  Check(range);
  if (range.size != 0) std::memcpy(out, bytes_->data() + range.offset, range.size);
  CheckThere();
}

void ModelFile::CheckThere() const {
  if (!bytes_->lost()) return;
  throw Error(
      ErrorCode::kFile,
      "Expected the model's file to stay as it is while it is in use, got a shorter one: replace a model by "
      "renaming another file to its name");
}

SharedBytes ModelFile::Copy(ByteRange range) const {
  Check(range);
  AlignedBuffer<uint8_t> copy(range.size);
  Read(range, copy.data());
  bytes_->Forget(range.offset, range.size);  // the copy is what will be read
  return copy;
}

SharedBytes ModelFile::Numbers(ByteRange range) const {
  Check(range);
  const uint8_t* data = bytes_->data() + range.offset;
  const bool aligned = reinterpret_cast<uintptr_t>(data) % kAlignment == 0;
  const bool slack = bytes_->readable() - range.offset - range.size >= kAlignment;
  return aligned && slack ? SharedBytes(data, range.size, bytes_) : Copy(range);
}

std::shared_ptr<const PackedWeights> ModelFile::Weights(const PackedShape& shape,
                                                        const Ranges& ranges) const {
  std::vector<uint64_t> key = {static_cast<uint64_t>(shape.format),
                               static_cast<uint64_t>(shape.storage),
                               shape.rows,
                               shape.cols,
                               shape.block_cols,
                               shape.chunk_rows};
  for (const ByteRange& range : ranges) key.insert(key.end(), {range.offset, range.size});
  const std::lock_guard<std::mutex> lock(mutex_);
  std::weak_ptr<const PackedWeights>& known = weights_[key];
  std::shared_ptr<const PackedWeights> weights = known.lock();
  if (weights != nullptr) return weights;
  PackedWeights::Sections sections;
  for (size_t i = 0; i < kSections; ++i) {
    if (ranges[i].size == 0) continue;
    // Kernels use what the other sections hold as addresses. Another program may write to a mapped file after
    // they were checked, so they are copied first; values may be any number at any time, and gaps become
    // columns before these are checked.
    const auto section = static_cast<Section>(i);
    const bool in_place = !mapped() || section == Section::kValues || section == Section::kGaps;
    sections[i] = in_place ? Numbers(ranges[i]) : Copy(ranges[i]);
  }
  weights = std::make_shared<const PackedWeights>(PackedWeights::FromSections(shape, std::move(sections)));
  known = weights;
  return weights;
}

}  // namespace espalier
