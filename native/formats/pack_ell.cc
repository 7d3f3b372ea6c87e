// Packs windowed ELLPACK; kernel_types.h says what that is.

#include <algorithm>
#include <limits>
#include <string>

#include "core/error.h"
#include "formats/packed_weights.h"

namespace espalier {
namespace {

constexpr size_t kRows = 16;
constexpr size_t kWindow = 32;

// The columns that each of 16 rows keeps, in order.
using KeptColumns = std::array<std::vector<uint16_t>, kRows>;

struct EllBuilder {
  std::vector<uint32_t> offsets = {0};
  std::vector<uint16_t> windows;
  std::vector<uint8_t> columns;
  std::vector<float> values;

  // Greedy: a window starts at the first column that any row still has to come to; each row that has one in
  // the window gives it one value.
  void AddGroup(const KeptColumns& kept, const std::vector<float>& group) {
    std::array<size_t, kRows> next{};
    for (;;) {
      size_t window = std::numeric_limits<size_t>::max();
      for (size_t r = 0; r < kRows; ++r) {
        if (next[r] < kept[r].size()) window = std::min<size_t>(window, kept[r][next[r]]);
      }
      if (window == std::numeric_limits<size_t>::max()) break;
      windows.push_back(static_cast<uint16_t>(window));
      for (size_t r = 0; r < kRows; ++r) {
        const bool fits = next[r] < kept[r].size() && kept[r][next[r]] < window + kWindow;
        columns.push_back(fits ? static_cast<uint8_t>(kept[r][next[r]] - window) : 0);
        values.push_back(fits ? group[kept[r][next[r]] * kRows + r] : 0.0f);
        if (fits) ++next[r];
      }
    }
    if (windows.size() > std::numeric_limits<uint32_t>::max()) {
      throw Error(ErrorCode::kShape, "Expected fewer than 2^32 slots, got " + std::to_string(windows.size()));
    }
    offsets.push_back(static_cast<uint32_t>(windows.size()));
  }
};

}  // namespace

void PackEll(const MatrixView& view, PackedShape& shape, PackedWeights::Sections& sections) {
  EllBuilder builder;
  KeptColumns kept;
  for (size_t row = 0; row < view.rows; row += kRows) {
    const std::vector<float> group = ReadRowGroup(view, row, shape.storage);
    for (size_t r = 0; r < kRows; ++r) {
      kept[r].clear();
      for (size_t col = 0; col < view.cols; ++col) {
        if (group[col * kRows + r] != 0.0f) kept[r].push_back(static_cast<uint16_t>(col));
      }
    }
    builder.AddGroup(kept, group);
  }
  sections[static_cast<size_t>(Section::kOffsets)] = ToSection(builder.offsets);
  sections[static_cast<size_t>(Section::kWindows)] = ToSection(builder.windows);
  sections[static_cast<size_t>(Section::kColumns)] = ToSection(builder.columns);
  sections[static_cast<size_t>(Section::kValues)] = ToValues(builder.values, shape.storage);
}

}  // namespace espalier
