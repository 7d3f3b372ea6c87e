#include "formats/model_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "core/error.h"
#include "matmul_case.h"

namespace espalier {
namespace {

// A file of this test's own, gone when it ends.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::vector<uint8_t>& bytes)
      : path_(std::filesystem::temp_directory_path() / ("espalier-model-file-" + std::to_string(getpid()))) {
    Write(bytes, std::ios::trunc);
  }
  ~TemporaryFile() { std::filesystem::remove(path_); }

  std::string path() const { return path_.string(); }
  // Into the file that is there, not a new one of its name.
  void Write(const std::vector<uint8_t>& bytes, std::ios::openmode mode) {
    std::fstream file(path_, std::ios::binary | std::ios::out | mode);
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  void Shrink(size_t size) { std::filesystem::resize_file(path_, size); }

 private:
  std::filesystem::path path_;
};

template <typename Body>
void ExpectError(ErrorCode code, const Body& body) {
  try {
    body();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
  }
}

// The sections of a matrix one behind the other at multiples of 64, and where each lies.
struct StoredWeights {
  PackedWeights packed;
  std::vector<uint8_t> bytes;
  ModelFile::Ranges ranges{};
};

StoredWeights Store(const std::vector<float>& weights, size_t rows, size_t cols, WeightFormat format) {
  StoredWeights stored{PackDense(weights, rows, cols, format), {}, {}};
  for (size_t i = 0; i < kSections; ++i) {
    const SharedBytes& section = stored.packed.section(static_cast<Section>(i));
    stored.ranges[i] = {stored.bytes.size(), section.size()};
    stored.bytes.insert(stored.bytes.end(), section.data(), section.data() + section.size());
    stored.bytes.resize(RoundUp(stored.bytes.size(), 64));
  }
  stored.bytes.resize(stored.bytes.size() + 64);  // as hashes do in a compiled model
  return stored;
}

std::vector<float> Unpacked(const PackedWeights& packed) {
  std::vector<float> dense(packed.rows() * packed.cols());
  packed.Unpack(dense.data());
  return dense;
}

TEST(ModelFile, GivesTheWeightsThatWereStored) {
  const std::vector<float> weights = RandomWeights(100, 70, 0.8, 1);
  for (const WeightFormat format : {WeightFormat::kDense, WeightFormat::kBlock16, WeightFormat::kSell,
                                    WeightFormat::kEll, WeightFormat::kCsr}) {
    const StoredWeights stored = Store(weights, 100, 70, format);
    const TemporaryFile file(stored.bytes);
    const std::shared_ptr<const ModelFile> models[] = {
        ModelFile::Open(file.path(), true), ModelFile::Open(file.path(), false),
        ModelFile::FromBytes(stored.bytes.data(), stored.bytes.size())};
    for (const auto& model : models) {
      const auto read = model->Weights(stored.packed.shape(), stored.ranges);
      EXPECT_EQ(Unpacked(*read), weights);
      EXPECT_EQ(model->Weights(stored.packed.shape(), stored.ranges), read);  // one for all who ask
    }
    EXPECT_TRUE(models[0]->mapped());
    EXPECT_FALSE(models[1]->mapped());
  }
}

TEST(ModelFile, IsOneAsLongAsTheFileStaysAsItIs) {
  TemporaryFile file(std::vector<uint8_t>(100, 1));
  for (const bool map : {true, false}) {
    auto first = ModelFile::Open(file.path(), map);
    EXPECT_EQ(ModelFile::Open(file.path(), map), first);
    EXPECT_NE(ModelFile::Open(file.path(), !map), first);
    file.Write(std::vector<uint8_t>(map ? 101 : 102, 2), std::ios::trunc);
    EXPECT_NE(ModelFile::Open(file.path(), map), first);
  }
}

TEST(ModelFile, RefusesRangesOutsideTheFile) {
  const std::vector<uint8_t> bytes(256, 1);
  const auto model = ModelFile::FromBytes(bytes.data(), bytes.size());
  std::vector<uint8_t> out(256);
  model->Read({0, 256}, out.data());
  EXPECT_EQ(out, bytes);
  EXPECT_EQ(model->Numbers({256, 0}).size(), 0u);
  for (const ByteRange range :
       {ByteRange{0, 257}, ByteRange{257, 0}, ByteRange{1, 256}, ByteRange{UINT64_MAX, 2},
        ByteRange{2, UINT64_MAX}, ByteRange{UINT64_MAX, UINT64_MAX}}) {
    ExpectError(ErrorCode::kModel, [&] { model->Read(range, out.data()); });
    ExpectError(ErrorCode::kModel, [&] { model->Numbers(range); });
    PackedShape shape;
    shape.rows = shape.cols = 1;
    ExpectError(ErrorCode::kModel, [&] { model->Weights(shape, {ByteRange{}, ByteRange{}, range}); });
  }
  ExpectError(ErrorCode::kFile, [] { ModelFile::Open("/nowhere/model.esp", true); });
  ExpectError(ErrorCode::kFile, [] { ModelFile::Open("/", true); });
}

TEST(ModelFile, CopiesNumbersThatAreNotAligned) {
  std::vector<uint8_t> bytes(8192);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * 7);
  const TemporaryFile file(bytes);
  for (const bool map : {true, false}) {
    const auto model = ModelFile::Open(file.path(), map);
    for (const ByteRange range :
         {ByteRange{64, 128}, ByteRange{65, 128}, ByteRange{8128, 64}, ByteRange{8100, 92}}) {
      const SharedBytes numbers = model->Numbers(range);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(numbers.data()) % 64, 0u);
      EXPECT_EQ(std::memcmp(numbers.data(), bytes.data() + range.offset, range.size), 0);
      volatile uint8_t behind = numbers.data()[range.size + 63];  // must be there
      static_cast<void>(behind);
    }
  }
}

// A program that writes into a file instead of replacing it changes values, but no index that was checked.
TEST(ModelFile, KeepsTheIndicesThatItChecked) {
  const std::vector<float> weights = RandomWeights(64, 64, 0.8, 1);
  const StoredWeights stored = Store(weights, 64, 64, WeightFormat::kSell);
  TemporaryFile file(stored.bytes);
  const auto model = ModelFile::Open(file.path(), true);
  const auto read = model->Weights(stored.packed.shape(), stored.ranges);
  file.Write(std::vector<uint8_t>(stored.bytes.size(), 0xff), std::ios::in);
  for (const Section section : {Section::kOffsets, Section::kColumns, Section::kCounts, Section::kOrder}) {
    const SharedBytes& expected = stored.packed.section(section);
    ASSERT_EQ(read->section(section).size(), expected.size());
    EXPECT_EQ(std::memcmp(read->section(section).data(), expected.data(), expected.size()), 0);
  }
}

TEST(ModelFile, ThatShrinksIsAnError) {
  const std::vector<float> weights(512 * 64, 1.0f);
  const StoredWeights stored = Store(weights, 512, 64, WeightFormat::kDense);
  TemporaryFile file(stored.bytes);
  const auto model = ModelFile::Open(file.path(), true);
  const auto read = model->Weights(stored.packed.shape(), stored.ranges);
  model->CheckThere();
  file.Shrink(4096);
  const std::vector<float> dense = Unpacked(*read);  // no fault: what is gone is zero
  EXPECT_EQ(dense.front(), 1.0f);
  EXPECT_EQ(dense.back(), 0.0f);
  ExpectError(ErrorCode::kFile, [&] { model->CheckThere(); });
  std::vector<uint8_t> out(64);
  ExpectError(ErrorCode::kFile, [&] { model->Read({0, 64}, out.data()); });
}

// Faults that are none of a mapping's end the process as they did before.
TEST(ModelFile, LeavesOtherFaultsAlone) {
  const TemporaryFile file(std::vector<uint8_t>(64, 1));
  const auto model = ModelFile::Open(file.path(), true);
  ASSERT_TRUE(model->mapped());
  EXPECT_DEATH(raise(SIGBUS), "");
}

}  // namespace
}  // namespace espalier
