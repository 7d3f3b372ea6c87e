#include "formats/column_gaps.h"

#include <string>

#include "core/error.h"
#include "core/sizes.h"

namespace espalier {
namespace {

constexpr size_t kMore = 15;

using Sections = PackedWeights::Sections;

const SharedBytes& At(const Sections& sections, Section section) {
  return sections[static_cast<size_t>(section)];
}

[[noreturn]] void Refuse(const PackedShape& shape, const std::string& expected) {
  throw Error(ErrorCode::kModel, std::string("Section \"gaps\" of \"") + NameOf(shape.format) +
                                     "\" weights: expected " + expected);
}

bool HasGaps(WeightFormat format) {
  return format == WeightFormat::kSell || format == WeightFormat::kBlock16 ||
         format == WeightFormat::kBlock8 || format == WeightFormat::kBlock4;
}

class Writer {
 public:
  void Put(size_t gap) {
    for (; gap >= kMore; gap -= kMore) Nibble(kMore);
    Nibble(gap);
  }
  AlignedBuffer<uint8_t> Take() const { return ToSection(bytes_); }

 private:
  void Nibble(size_t nibble) {
    if (half_) {
      bytes_.back() = static_cast<uint8_t>(bytes_.back() | nibble << 4);
    } else {
      bytes_.push_back(static_cast<uint8_t>(nibble));
    }
    half_ = !half_;
  }

  std::vector<uint8_t> bytes_;
  bool half_ = false;  // whether the last byte has room
};

class Reader {
 public:
  explicit Reader(const SharedBytes& bytes) : data_(bytes.data()), nibbles_(2 * bytes.size()) {}

  // The next gap; past the end, zeros.
  size_t Next() {
    size_t gap = 0;
    for (;;) {
      const size_t byte = at_ < nibbles_ ? data_[at_ / 2] : 0;
      const size_t nibble = at_ % 2 == 0 ? byte & 15 : byte >> 4;
      ++at_;
      gap += nibble;
      if (nibble != kMore) return gap;
    }
  }
  // Whether all bytes were needed, and no more.
  bool AtEnd() const { return (at_ + 1) / 2 * 2 == nibbles_; }

 private:
  const uint8_t* data_;
  size_t nibbles_;
  size_t at_ = 0;
};

// visit(first column, steps, lanes) for groups of lists: `lanes` lists side by side, whose columns take
// turns. Stops when they are more than `total` columns in all; returns how many there were.
template <typename Visit>
size_t ForEachList(const PackedShape& shape, const Sections& sections, size_t total, const Visit& visit) {
  size_t next = 0;
  const auto add = [&](size_t steps, size_t lanes) {
    if (steps > (total - next) / lanes) return false;
    visit(next, steps, lanes);
    next += steps * lanes;
    return true;
  };
  if (shape.format == WeightFormat::kSell) {
    const SharedBytes& counts = At(sections, Section::kCounts);
    for (size_t slice = 0; slice < counts.size(); ++slice) {
      if (!add(counts.data()[slice], 4)) return total + 1;
    }
    return next;
  }
  const SharedBytes& bytes = At(sections, Section::kOffsets);
  const auto* offsets = reinterpret_cast<const uint32_t*>(bytes.data());
  for (size_t i = 1; i < bytes.size() / sizeof(uint32_t); ++i) {
    if (offsets[i] < offsets[i - 1] || !add(offsets[i] - offsets[i - 1], 1)) return total + 1;
  }
  return next;
}

size_t ColumnCount(const PackedShape& shape, const Sections& sections) {
  const size_t value_bytes = shape.storage == Storage::kFloat16 ? 2 : 4;
  return At(sections, Section::kValues).size() / value_bytes / BlockRows(shape.format);
}

template <typename Column>
void Encode(const PackedWeights& weights, const Sections& sections, Writer* writer) {
  const auto* columns = reinterpret_cast<const Column*>(weights.section(Section::kColumns).data());
  ForEachList(weights.shape(), sections, ColumnCount(weights.shape(), sections),
              [&](size_t first, size_t steps, size_t lanes) {
                size_t before[4] = {};
                for (size_t i = 0; i < steps * lanes; ++i) {
                  const size_t column = columns[first + i];
                  if (column < before[i % lanes])
                    throw Error(ErrorCode::kArgument, "Expected columns that do not fall within a list");
                  writer->Put(column - before[i % lanes]);
                  before[i % lanes] = column;
                }
              });
}

template <typename Column>
AlignedBuffer<uint8_t> Decode(const PackedShape& shape, const Sections& sections) {
  const size_t count = ColumnCount(shape, sections);  // as many as there are values, which are there
  AlignedBuffer<uint8_t> bytes(MultiplySizes(count, sizeof(Column)));
  auto* const columns = reinterpret_cast<Column*>(bytes.data());
  Reader reader(At(sections, Section::kGaps));
  bool fits = true;
  const size_t found = ForEachList(shape, sections, count, [&](size_t first, size_t steps, size_t lanes) {
    size_t before[4] = {};
    for (size_t i = 0; i < steps * lanes; ++i) {
      before[i % lanes] += reader.Next();
      fits = fits && before[i % lanes] <= static_cast<Column>(-1);
      columns[first + i] = static_cast<Column>(before[i % lanes]);
    }
  });
  if (found != count || !fits || !reader.AtEnd())
    Refuse(shape, std::to_string(count) + " columns of the matrix, and nothing behind them");
  return bytes;
}

}  // namespace

AlignedBuffer<uint8_t> EncodeGaps(const PackedWeights& weights) {
  if (!HasGaps(weights.format())) {
    throw Error(ErrorCode::kArgument,
                std::string("Expected block or sell weights, got ") + NameOf(weights.format()));
  }
  Sections sections;
  for (const Section section : {Section::kOffsets, Section::kValues, Section::kCounts})
    sections[static_cast<size_t>(section)] = weights.section(section);
  Writer writer;
  if (weights.format() == WeightFormat::kSell) {
    Encode<uint8_t>(weights, sections, &writer);
  } else {
    Encode<uint16_t>(weights, sections, &writer);
  }
  return writer.Take();
}

void DecodeGaps(const PackedShape& shape, Sections& sections) {
  SharedBytes& columns = sections[static_cast<size_t>(Section::kColumns)];
  if (!HasGaps(shape.format) || !columns.empty()) Refuse(shape, "none in this format or beside columns");
  columns = shape.format == WeightFormat::kSell ? Decode<uint8_t>(shape, sections)
                                                : Decode<uint16_t>(shape, sections);
  sections[static_cast<size_t>(Section::kGaps)] = SharedBytes();
}

}  // namespace espalier
