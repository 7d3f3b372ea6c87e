// What must hold of arrays that came from outside before a kernel reads through them.

#include <algorithm>
#include <cstring>
#include <string>

#include "core/error.h"
#include "core/sizes.h"
#include "formats/packed_weights.h"

namespace espalier {
namespace {

class Checker {
 public:
  Checker(const PackedShape& shape, const PackedWeights::Sections& sections)
      : shape_(shape), sections_(sections) {}

  void Expect(bool condition, Section section, const char* what) const {
    if (!condition) Fail(section, what);
  }
  [[noreturn]] void Fail(Section section, const std::string& what) const {
    throw Error(ErrorCode::kModel, std::string("Section \"") + NameOf(section) + "\" of \"" +
                                       NameOf(shape_.format) + "\" weights [" + std::to_string(shape_.rows) +
                                       ", " + std::to_string(shape_.cols) + "]: expected " + what);
  }

  // Columns are many: no call and no message for each.
  template <typename Column>
  void ExpectColumns(const Column* columns, size_t count, size_t limit, const char* what) const {
    Column most = 0;
    for (size_t i = 0; i < count; ++i) most = std::max(most, columns[i]);
    Expect(count == 0 || most < limit, Section::kColumns, what);
  }

  size_t Bytes(Section section) const { return sections_[static_cast<size_t>(section)].size(); }

  // The elements of a section that must have `count` of them.
  template <typename T>
  const T* Array(Section section, size_t count) const {
    const size_t bytes = MultiplySizes(count, sizeof(T));
    if (Bytes(section) != bytes)
      Fail(section, std::to_string(bytes) + " bytes, got " + std::to_string(Bytes(section)));
    return reinterpret_cast<const T*>(sections_[static_cast<size_t>(section)].data());
  }

  void ExpectValues(size_t count) const {
    if (shape_.storage == Storage::kFloat16) {
      Array<uint16_t>(Section::kValues, count);
    } else {
      Array<float>(Section::kValues, count);
    }
  }

  // Offsets that begin at 0 and never fall; returns the last.
  template <typename T>
  size_t Ascending(size_t count) const {
    const T* offsets = Array<T>(Section::kOffsets, count);
    Expect(offsets[0] == 0 && std::is_sorted(offsets, offsets + count), Section::kOffsets,
           "ascending numbers from 0");
    return offsets[count - 1];
  }

  void ExpectNone(std::initializer_list<Section> sections) const {
    for (const Section section : sections) Array<uint8_t>(section, 0);
  }

 private:
  const PackedShape& shape_;
  const PackedWeights::Sections& sections_;
};

template <typename Column>
void CheckBlocks(const PackedShape& shape, const Checker& check, size_t block_rows) {
  const size_t row_blocks = (shape.rows + block_rows - 1) / block_rows;
  const size_t blocks = check.Ascending<uint32_t>(row_blocks + 1);
  const Column* columns = check.Array<Column>(Section::kColumns, blocks);
  check.ExpectColumns(columns, blocks, shape.cols, "columns of the matrix");
  check.ExpectValues(MultiplySizes(blocks, block_rows));
  check.ExpectNone({Section::kCounts, Section::kOrder, Section::kWindows});
}

void CheckSell(const PackedShape& shape, const Checker& check) {
  const bool sane = shape.block_cols > 0 && shape.block_cols <= 256 && shape.chunk_rows > 0 &&
                    shape.chunk_rows % 16 == 0 && shape.chunk_rows <= 65536;
  check.Expect(sane, Section::kCounts, "blocks of 1 to 256 columns and chunks of 16 to 65536 rows");
  const size_t blocks = (shape.cols + shape.block_cols - 1) / shape.block_cols;
  const size_t chunks = (shape.rows + shape.chunk_rows - 1) / shape.chunk_rows;
  const size_t last_rows = shape.rows - (chunks - 1) * shape.chunk_rows;
  const size_t slices = MultiplySizes((chunks - 1) * (shape.chunk_rows / 4) + (last_rows + 3) / 4, blocks);
  const size_t steps = check.Ascending<uint64_t>(MultiplySizes(chunks, blocks) + 1);
  const uint64_t* starts = check.Array<uint64_t>(Section::kOffsets, chunks * blocks + 1);
  const uint8_t* counts = check.Array<uint8_t>(Section::kCounts, slices);
  const uint16_t* order = check.Array<uint16_t>(Section::kOrder, MultiplySizes(slices, 4));
  const uint8_t* columns = check.Array<uint8_t>(Section::kColumns, MultiplySizes(steps, 4));
  check.ExpectValues(MultiplySizes(steps, 4));
  check.ExpectNone({Section::kWindows});

  size_t step = 0;
  size_t slice = 0;
  for (size_t chunk = 0; chunk < chunks; ++chunk) {
    const size_t rows = RoundUp(std::min(shape.chunk_rows, shape.rows - chunk * shape.chunk_rows), 4);
    for (size_t block = 0; block < blocks; ++block) {
      check.Expect(starts[chunk * blocks + block] == step, Section::kOffsets,
                   "the steps that the counts add up to");
      const size_t cols = std::min(shape.block_cols, shape.cols - block * shape.block_cols);
      std::vector<bool> seen(rows);
      for (size_t i = 0; i < rows; ++i) {
        const size_t row = order[slice * 4 + i];
        check.Expect(row < rows && !seen[row], Section::kOrder, "every row of the chunk once");
        seen[row] = true;
      }
      for (size_t i = 0; i < rows / 4; ++i, ++slice) step += counts[slice];
      check.Expect(step <= steps, Section::kCounts, "no more steps than there are");
      const size_t first = starts[chunk * blocks + block];
      check.ExpectColumns(columns + first * 4, (step - first) * 4, cols, "columns of the block");
    }
  }
  check.Expect(step == steps, Section::kCounts, "as many steps as there are");
}

void CheckEll(const PackedShape& shape, const Checker& check) {
  const size_t slots = check.Ascending<uint32_t>((shape.rows + 15) / 16 + 1);
  const uint16_t* windows = check.Array<uint16_t>(Section::kWindows, slots);
  const uint8_t* columns = check.Array<uint8_t>(Section::kColumns, MultiplySizes(slots, 16));
  const char* const inside = "columns of a window of 32 inside the matrix";
  check.ExpectColumns(columns, slots * 16, 32, inside);
  for (size_t i = 0; i < slots; ++i) {
    const size_t left = windows[i] < shape.cols ? shape.cols - windows[i] : 0;
    check.ExpectColumns(columns + i * 16, 16, left, inside);
  }
  check.ExpectValues(MultiplySizes(slots, 16));
  check.ExpectNone({Section::kCounts, Section::kOrder});
}

}  // namespace

void CheckSections(const PackedShape& shape, const PackedWeights::Sections& sections) {
  const Checker check(shape, sections);
  check.Expect(shape.rows > 0 && shape.cols > 0 && shape.rows <= UINT32_MAX && shape.cols <= UINT32_MAX,
               Section::kValues, "a matrix with rows and columns, fewer than 2^32 of each");
  const bool any_columns = shape.format == WeightFormat::kDense || shape.format == WeightFormat::kCsr;
  check.Expect(any_columns || shape.cols <= kMostNumberedColumns, Section::kColumns, "at most 65536 columns");
  switch (shape.format) {
    case WeightFormat::kDense:
      check.ExpectValues(MultiplyAll({(shape.rows + 15) / 16, 16, shape.cols}));
      return check.ExpectNone(
          {Section::kOffsets, Section::kColumns, Section::kCounts, Section::kOrder, Section::kWindows});
    case WeightFormat::kCsr:
      check.Expect(shape.storage == Storage::kFloat32, Section::kValues, "float32 values");
      return CheckBlocks<uint32_t>(shape, check, 1);
    case WeightFormat::kSell:
      return CheckSell(shape, check);
    case WeightFormat::kEll:
      return CheckEll(shape, check);
    default:
      return CheckBlocks<uint16_t>(shape, check, BlockRows(shape.format));
  }
}

}  // namespace espalier
