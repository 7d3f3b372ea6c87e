#include "formats/packed_weights.h"

#include <gtest/gtest.h>

#include <cfloat>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "matmul_case.h"

namespace espalier {
namespace {

constexpr WeightFormat kFormats[] = {WeightFormat::kDense,  WeightFormat::kBlock16, WeightFormat::kBlock8,
                                     WeightFormat::kBlock4, WeightFormat::kCsr,     WeightFormat::kSell,
                                     WeightFormat::kEll};

std::vector<float> Unpacked(const PackedWeights& packed) {
  GuardedOutput out(packed.rows() * packed.cols());
  packed.Unpack(out.data());
  out.ExpectGuardsIntact();
  return std::vector<float>(out.data(), out.data() + out.size());
}

TEST(PackedWeights, UnpackGivesBackWhatWasPacked) {
  for (const WeightFormat format : kFormats) {
    for (const size_t rows : {1, 4, 7, 16, 17, 40}) {
      for (const size_t cols : {1, 3, 32}) {
        for (const double sparsity : {0.0, 0.5, 0.9, 1.0}) {
          const std::vector<float> weights = RandomWeights(rows, cols, sparsity, 9);
          const PackedWeights packed = PackDense(weights, rows, cols, format);
          EXPECT_EQ(packed.rows(), rows);
          EXPECT_EQ(packed.cols(), cols);
          EXPECT_EQ(packed.format(), format);
          EXPECT_EQ(Unpacked(packed), weights);
        }
      }
    }
  }
}

TEST(PackedWeights, StoresOnlyBlocksWithAWeight) {
  // 16 x 4: column 1 has one weight, in row 5; column 3 one in row 0 and one in row 15.
  std::vector<float> weights(16 * 4, 0.0f);
  weights[5 * 4 + 1] = 1.0f;
  weights[0 * 4 + 3] = 2.0f;
  weights[15 * 4 + 3] = 3.0f;
  const size_t values[] = {64, 32, 24, 12, 3};
  const size_t bytes[] = {64 * 4, 32 * 4 + 2 * 2 + 2 * 4, 24 * 4 + 3 * 2 + 3 * 4, 12 * 4 + 3 * 2 + 5 * 4,
                          (3 + 3 + 17) * 4};
  for (size_t i = 0; i < 5; ++i) {
    const PackedWeights packed = PackDense(weights, 16, 4, kFormats[i]);
    EXPECT_EQ(packed.stored_values(), values[i]) << i;
    EXPECT_EQ(packed.byte_size(), bytes[i]) << i;
  }
  const PackedWeights packed = PackDense(weights, 16, 4, WeightFormat::kBlock8);
  const BlockMatrix block = packed.block();
  EXPECT_EQ(std::vector<uint32_t>(block.offsets, block.offsets + 3), (std::vector<uint32_t>{0, 2, 3}));
  EXPECT_EQ(std::vector<uint16_t>(block.columns, block.columns + 3), (std::vector<uint16_t>{1, 3, 3}));
  const auto* stored = static_cast<const float*>(block.values.data);
  EXPECT_EQ(stored[5], 1.0f);
  EXPECT_EQ(stored[8], 2.0f);
  EXPECT_EQ(stored[16 + 7], 3.0f);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(stored) % 64, 0u);
}

TEST(PackedWeights, SortsTheRowsOfSellByWhatTheyKeep) {
  // Rows keep 0, 1, 2, 3 and 2 columns of 4.
  const std::vector<float> weights = {0, 0, 0, 0, 0, 5, 0, 0, 1, 0, 2, 0, 7, 8, 9, 0, 0, 3, 0, 4};
  const PackedWeights packed = PackDense(weights, 5, 4, WeightFormat::kSell);
  const SellMatrix w = packed.sell();
  EXPECT_EQ(w.chunk_rows, 16u);
  EXPECT_EQ(std::vector<uint16_t>(w.order, w.order + 8), (std::vector<uint16_t>{3, 2, 4, 1, 0, 5, 6, 7}));
  EXPECT_EQ(std::vector<uint8_t>(w.counts, w.counts + 2), (std::vector<uint8_t>{3, 0}));
  EXPECT_EQ(std::vector<uint8_t>(w.columns, w.columns + 12),
            (std::vector<uint8_t>{0, 0, 1, 1, 1, 2, 3, 1, 2, 2, 3, 1}));
  EXPECT_EQ(packed.stored_values(), 12u);
}

TEST(PackedWeights, WindowsOfEllHoldOneValueOfEachRow) {
  std::vector<float> weights(16 * 40, 0.0f);
  weights[0 * 40 + 2] = 1.0f;
  weights[0 * 40 + 39] = 2.0f;
  weights[3 * 40 + 33] = 3.0f;   // in the window that starts at 2
  weights[15 * 40 + 34] = 4.0f;  // just outside it
  const PackedWeights packed = PackDense(weights, 16, 40, WeightFormat::kEll);
  const EllMatrix w = packed.ell();
  ASSERT_EQ(w.offsets[1], 2u);
  EXPECT_EQ(w.windows[0], 2u);
  EXPECT_EQ(w.windows[1], 34u);
  EXPECT_EQ(w.columns[3], 31u);
  EXPECT_EQ(w.columns[16 + 0], 5u);
  EXPECT_EQ(w.columns[16 + 15], 0u);
}

TEST(PackedWeights, RoundsToHalfPrecision) {
  const std::vector<float> weights = {1.0f, 1.0f + 1.0f / 4096, 0.1f, 65504.0f, 1e-9f, -3e-8f};
  for (const WeightFormat format : kFormats) {
    if (format == WeightFormat::kCsr) continue;
    const PackedWeights packed = PackDense(weights, 1, 6, format, Storage::kFloat16);
    EXPECT_EQ(Unpacked(packed),
              (std::vector<float>{1.0f, 1.0f, 0.0999755859375f, 65504.0f, 0.0f, -5.9604645e-8f}));
    EXPECT_EQ(packed.section(Section::kValues).size(), packed.stored_values() * 2);
  }
  EXPECT_THROW(PackDense(weights, 1, 6, WeightFormat::kCsr, Storage::kFloat16), Error);
}

TEST(PackedWeights, NumbersTooManyColumnsOnlyWhereItCan) {
  const std::vector<float> weights(65537, 1.0f);
  for (const WeightFormat format : kFormats) {
    const bool fits = format == WeightFormat::kDense || format == WeightFormat::kCsr;
    if (fits) {
      EXPECT_EQ(Unpacked(PackDense(weights, 1, weights.size(), format)), weights);
    } else {
      EXPECT_THROW(PackDense(weights, 1, weights.size(), format), Error);
    }
  }
}

// Arrays as they come from a file, which a test may change.
using RawSections = std::array<AlignedBuffer<uint8_t>, kSections>;

RawSections CopySections(const PackedWeights& packed) {
  RawSections copies;
  for (size_t i = 0; i < kSections; ++i) {
    const SharedBytes& section = packed.section(static_cast<Section>(i));
    copies[i] = AlignedBuffer<uint8_t>(section.size());
    if (!section.empty()) std::memcpy(copies[i].data(), section.data(), section.size());
  }
  return copies;
}

PackedWeights WithSections(const PackedWeights& packed, RawSections raw) {
  PackedWeights::Sections sections;
  for (size_t i = 0; i < kSections; ++i) sections[i] = std::move(raw[i]);
  return PackedWeights::FromSections(packed.shape(), std::move(sections));
}

TEST(PackedWeights, TakesItsOwnSectionsBack) {
  for (const WeightFormat format : kFormats) {
    const std::vector<float> weights = RandomWeights(600, 300, 0.8, 4);
    const PackedWeights packed = PackDense(weights, 600, 300, format);
    EXPECT_EQ(Unpacked(WithSections(packed, CopySections(packed))), weights);
  }
}

// Every byte of every section but the values, set to something else: refused, or harmless.
TEST(PackedWeights, RefusesSectionsThatLeaveTheMatrix) {
  const std::vector<float> weights = RandomWeights(21, 140, 0.8, 4);
  for (const WeightFormat format : kFormats) {
    const PackedWeights packed = PackDense(weights, 21, 140, format);
    size_t refused = 0;
    for (size_t i = 0; i < kSections; ++i) {
      if (static_cast<Section>(i) == Section::kValues) continue;
      const size_t size = packed.section(static_cast<Section>(i)).size();
      for (size_t byte = 0; byte < size; ++byte) {
        for (const int flip : {1, 0x80, 0xff}) {
          RawSections sections = CopySections(packed);
          sections[i][byte] = static_cast<uint8_t>(sections[i][byte] ^ flip);
          try {
            Unpacked(WithSections(packed, std::move(sections)));
          } catch (const Error& error) {
            ++refused;
            EXPECT_EQ(error.code(), ErrorCode::kModel);
          }
        }
      }
      RawSections longer = CopySections(packed);
      longer[i] = AlignedBuffer<uint8_t>(size + 1);
      EXPECT_THROW(WithSections(packed, std::move(longer)), Error);
    }
    EXPECT_EQ(refused > 0, format != WeightFormat::kDense);
  }
}

// Values of rows that do not exist go nowhere.
TEST(PackedWeights, IgnoresValuesPastTheLastRow) {
  for (const WeightFormat format : kFormats) {
    const std::vector<float> weights(1 * 40, 1.0f);
    const PackedWeights packed = PackDense(weights, 1, 40, format);
    RawSections sections = CopySections(packed);
    AlignedBuffer<uint8_t>& values = sections[static_cast<size_t>(Section::kValues)];
    for (size_t i = 0; i + 4 <= values.size(); i += 4) {
      const float one = 1.0f;
      std::memcpy(values.data() + i, &one, sizeof(one));
    }
    EXPECT_EQ(Unpacked(WithSections(packed, std::move(sections))), weights);
  }
}

TEST(PackedWeights, ReadsAnyStridesAndAnyAlignment) {
  // The transpose of a [3, 5] matrix, from the second float on, one byte off alignment.
  const std::vector<float> stored = RandomValues(1 + 15, 2);
  std::vector<uint8_t> bytes(stored.size() * 4 + 1);
  std::memcpy(bytes.data() + 1, stored.data(), stored.size() * 4);
  for (const WeightFormat format : kFormats) {
    const PackedWeights packed =
        PackedWeights::Pack({bytes.data() + 1, stored.size() * 4, 5, 3, 1, 1, 5}, format);
    const std::vector<float> dense = Unpacked(packed);
    for (size_t r = 0; r < 5; ++r) {
      for (size_t c = 0; c < 3; ++c) EXPECT_EQ(dense[r * 3 + c], stored[1 + c * 5 + r]);
    }
  }
}

TEST(PackedWeights, FlushesDenormalWeights) {
  const std::vector<float> weights = {FLT_MIN, FLT_MIN / 2, -FLT_MIN / 2, -FLT_MIN, -0.0f};
  for (const WeightFormat format : kFormats) {
    EXPECT_EQ(Unpacked(PackDense(weights, 1, 5, format)), (std::vector<float>{FLT_MIN, 0, 0, -FLT_MIN, 0}));
  }
  EXPECT_EQ(PackDense(weights, 1, 5, WeightFormat::kCsr).stored_values(), 2u);
}

TEST(PackedWeights, KeepsNaNAndInfinity) {
  const std::vector<float> weights = {kNoLimit, std::nanf(""), 0.0f};
  const PackedWeights packed = PackDense(weights, 1, 3, WeightFormat::kCsr);
  ASSERT_EQ(packed.stored_values(), 2u);
  EXPECT_EQ(packed.csr().values[0], kNoLimit);
  EXPECT_TRUE(std::isnan(packed.csr().values[1]));
}

TEST(PackedWeights, RefusesViewsThatLeaveTheirBytes) {
  constexpr size_t kHuge = std::numeric_limits<size_t>::max();
  const std::vector<float> weights(12);
  const auto* bytes = reinterpret_cast<const uint8_t*>(weights.data());
  const MatrixView hostile[] = {
      {bytes, 48, 3, 5, 0, 5, 1},              // too many columns
      {bytes, 47, 3, 4, 0, 4, 1},              // the last float is cut
      {bytes, 48, 3, 4, 1, 4, 1},              // offset
      {bytes, 48, 3, 4, kHuge, 4, 1},          // offset overflows
      {bytes, 48, 3, 4, 0, kHuge, 1},          // row stride overflows
      {bytes, 48, 3, 4, 0, 4, kHuge / 2},      // column stride overflows
      {bytes, 48, 2, 4, 0, kHuge / 4 + 2, 1},  // 4 * stride wraps to a small number
      {bytes, 48, kHuge, 1, 0, 1, 1},          // more rows than bytes
      {bytes, 48, kHuge, kHuge, 0, 0, 0},      // a view onto one element, of 2^128
      {bytes, 48, 13, 1, 0, 0, 1},             // more elements than floats
      {bytes, 48, 0, 4, 0, 4, 1},              // no rows
      {bytes, 48, 3, 0, 0, 4, 1},              // no columns
      {bytes, 0, 1, 1, 0, 1, 1},               // no bytes
      {nullptr, 0, kHuge, 1, kHuge, 1, 1},
  };
  size_t number = 0;
  for (const MatrixView& view : hostile) {
    for (const WeightFormat format : kFormats) {
      try {
        PackedWeights::Pack(view, format);
        ADD_FAILURE() << "view " << number << " was accepted";
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kShape) << error.what();
      }
    }
    ++number;
  }
}

TEST(PackedWeights, NamesItsFormats) {
  const char* names[] = {"dense", "block16", "block8", "block4", "csr", "sell", "ell"};
  for (size_t i = 0; i < 7; ++i) EXPECT_EQ(ParseWeightFormat(names[i]), kFormats[i]);
  for (const char* name : {"", "CSR", "block32", "dense "}) {
    try {
      ParseWeightFormat(name);
      ADD_FAILURE() << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kArgument);
    }
  }
}

}  // namespace
}  // namespace espalier
