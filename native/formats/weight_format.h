#pragma once

#include <cstddef>
#include <string>

namespace espalier {

// How the weights of one layer lie in memory; kernel_types.h says it in full.
enum class WeightFormat {
  kDense,    // blocks of 16 rows with every column
  kBlock16,  // r x 1 blocks: r consecutive outputs that share one input
  kBlock8,
  kBlock4,
  kCsr,   // single weights, any number of columns
  kSell,  // single weights, for products with several vectors
  kEll,   // single weights, for products with one vector
};

// How each value is stored.
enum class Storage { kFloat32, kFloat16 };

// "dense", "block16", "block8", "block4", "csr", "sell", "ell"; throws Error{kArgument} for anything else.
WeightFormat ParseWeightFormat(const std::string& name);
const char* NameOf(WeightFormat format);

// "float32", "float16"; throws Error{kArgument} for anything else.
Storage ParseStorage(const std::string& name);
const char* NameOf(Storage storage);

// Consecutive outputs that are stored together under one column: 16, 8, 4 or 1.
size_t BlockRows(WeightFormat format);

// Column numbers of 16 bits: only CSR and dense weights may have more columns.
inline constexpr size_t kMostNumberedColumns = 65536;

}  // namespace espalier
