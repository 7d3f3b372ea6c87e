#include "formats/column_gaps.h"

#include <gtest/gtest.h>

#include <cstring>

#include "core/error.h"
#include "matmul_case.h"

namespace espalier {
namespace {

constexpr WeightFormat kFormats[] = {WeightFormat::kBlock16, WeightFormat::kBlock8, WeightFormat::kBlock4,
                                     WeightFormat::kSell};

PackedWeights::Sections WithGaps(const PackedWeights& packed, AlignedBuffer<uint8_t> gaps) {
  PackedWeights::Sections sections;
  for (size_t i = 0; i < kSections; ++i) sections[i] = packed.section(static_cast<Section>(i));
  sections[static_cast<size_t>(Section::kColumns)] = SharedBytes();
  sections[static_cast<size_t>(Section::kGaps)] = std::move(gaps);
  return sections;
}

TEST(ColumnGaps, BecomeTheColumnsTheyWere) {
  for (const WeightFormat format : kFormats) {
    for (const double sparsity : {0.0, 0.5, 0.8, 0.99, 1.0}) {
      for (const size_t cols : {size_t{1}, size_t{70}, size_t{1000}}) {
        const PackedWeights packed = PackDense(RandomWeights(50, cols, sparsity, 1), 50, cols, format);
        const auto read = PackedWeights::FromSections(packed.shape(), WithGaps(packed, EncodeGaps(packed)));
        for (size_t i = 0; i < kSections; ++i) {
          const SharedBytes& expected = packed.section(static_cast<Section>(i));
          const SharedBytes& got = read.section(static_cast<Section>(i));
          ASSERT_EQ(got.size(), expected.size());
          if (got.empty()) continue;
          EXPECT_EQ(std::memcmp(got.data(), expected.data(), got.size()), 0);
        }
      }
    }
  }
}

// A block of four rows with the columns 3, 3 + 14 and 3 + 14 + 30.
TEST(ColumnGaps, AreNibbles) {
  std::vector<float> weights(4 * 64);
  for (const size_t col : {3, 17, 47}) weights[col] = 1.0f;
  const PackedWeights packed = PackDense(weights, 4, 64, WeightFormat::kBlock4);
  const AlignedBuffer<uint8_t> gaps = EncodeGaps(packed);
  const std::vector<uint8_t> expected = {0xe3, 0xff, 0x00};
  ASSERT_EQ(gaps.size(), expected.size());
  EXPECT_EQ(std::memcmp(gaps.data(), expected.data(), gaps.size()), 0);
}

TEST(ColumnGaps, ThatAreDamagedAreErrorsOrColumnsOfTheMatrix) {
  for (const WeightFormat format : kFormats) {
    const PackedWeights packed = PackDense(RandomWeights(40, 300, 0.8, 2), 40, 300, format);
    const AlignedBuffer<uint8_t> gaps = EncodeGaps(packed);
    size_t refused = 0;
    for (size_t i = 0; i < gaps.size(); ++i) {
      AlignedBuffer<uint8_t> damaged(gaps.size());
      std::memcpy(damaged.data(), gaps.data(), gaps.size());
      damaged.data()[i] = static_cast<uint8_t>(damaged.data()[i] ^ (i % 2 == 0 ? 0xff : 0x01));
      try {
        const auto read = PackedWeights::FromSections(packed.shape(), WithGaps(packed, std::move(damaged)));
        std::vector<float> dense(40 * 300);
        read.Unpack(dense.data());
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kModel);
        ++refused;
      }
    }
    EXPECT_GT(refused, 0u);
    for (const size_t size : {size_t{1}, gaps.size() - 1, gaps.size() + 1}) {
      AlignedBuffer<uint8_t> cut(size);
      std::memset(cut.data(), 0, size);
      std::memcpy(cut.data(), gaps.data(), std::min(size, gaps.size()));
      EXPECT_THROW(PackedWeights::FromSections(packed.shape(), WithGaps(packed, std::move(cut))), Error);
    }
  }
}

TEST(ColumnGaps, AreNoneOfOtherFormatsAndNotBesideColumns) {
  const PackedWeights dense = PackDense(RandomWeights(16, 16, 0, 1), 16, 16, WeightFormat::kDense);
  EXPECT_THROW(EncodeGaps(dense), Error);
  const PackedWeights packed = PackDense(RandomWeights(16, 16, 0.5, 1), 16, 16, WeightFormat::kBlock16);
  PackedWeights::Sections both = WithGaps(packed, EncodeGaps(packed));
  both[static_cast<size_t>(Section::kColumns)] = packed.section(Section::kColumns);
  EXPECT_THROW(PackedWeights::FromSections(packed.shape(), std::move(both)), Error);
}

}  // namespace
}  // namespace espalier
