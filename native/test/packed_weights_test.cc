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

constexpr WeightFormat kFormats[] = {WeightFormat::kDense, WeightFormat::kBlock16, WeightFormat::kBlock8,
                                     WeightFormat::kBlock4, WeightFormat::kCsr};

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
  const size_t bytes[] = {64 * 4, (32 + 2 + 2) * 4, (24 + 3 + 3) * 4, (12 + 3 + 5) * 4, (3 + 3 + 17) * 4};
  for (size_t i = 0; i < 5; ++i) {
    const PackedWeights packed = PackDense(weights, 16, 4, kFormats[i]);
    EXPECT_EQ(packed.stored_values(), values[i]) << i;
    EXPECT_EQ(packed.byte_size(), bytes[i]) << i;
  }
  const PackedWeights packed = PackDense(weights, 16, 4, WeightFormat::kBlock8);
  const BlockMatrix block = packed.block();
  EXPECT_EQ(std::vector<uint32_t>(block.offsets, block.offsets + 3), (std::vector<uint32_t>{0, 2, 3}));
  EXPECT_EQ(std::vector<uint32_t>(block.columns, block.columns + 3), (std::vector<uint32_t>{1, 3, 3}));
  EXPECT_EQ(block.values[5], 1.0f);
  EXPECT_EQ(block.values[8], 2.0f);
  EXPECT_EQ(block.values[16 + 7], 3.0f);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(block.values) % 64, 0u);
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
  const char* names[] = {"dense", "block16", "block8", "block4", "csr"};
  for (size_t i = 0; i < 5; ++i) EXPECT_EQ(ParseWeightFormat(names[i]), kFormats[i]);
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
