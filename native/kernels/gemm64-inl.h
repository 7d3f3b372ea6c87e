// A tile of a float64 product, for the linear algebra of pruning. Lanes run along the columns and every sum
// is added up in the order of its terms, without fused multiply-adds: the bits are the same on every
// instruction set, so a pruned model does not depend on the machine that pruned it.

constexpr size_t kDoubleBytes = kLanes * sizeof(float) < 16 ? 16 : kLanes * sizeof(float);
typedef double Doubles __attribute__((vector_size(kDoubleBytes)));
typedef double DoublesAt __attribute__((vector_size(kDoubleBytes), aligned(8), may_alias));

constexpr int kGemmVecs = static_cast<int>(kGemmTile * sizeof(double) / kDoubleBytes);
constexpr int kGemmPass = kRegisters / 2 / kGemmVecs < 8 ? kRegisters / 2 / kGemmVecs : 8;  // rows at a time
constexpr int kVecDoubles = static_cast<int>(kDoubleBytes / sizeof(double));

void gemm_tile64(const double* a, const double* b, size_t depth, double* c, size_t c_stride) noexcept {
  static_assert(kGemmTile % kGemmPass == 0);
  for (size_t row = 0; row < kGemmTile; row += kGemmPass) {
    Doubles sums[kGemmPass][kGemmVecs];
    ESPALIER_UNROLL
    for (int r = 0; r < kGemmPass; ++r) {
      ESPALIER_UNROLL
      for (int v = 0; v < kGemmVecs; ++v) sums[r][v] = Doubles{};
    }
    for (size_t k = 0; k < depth; ++k) {
      Doubles values[kGemmVecs];
      ESPALIER_UNROLL
      for (int v = 0; v < kGemmVecs; ++v) {
        values[v] = *reinterpret_cast<const DoublesAt*>(b + k * kGemmTile + v * kVecDoubles);
      }
      ESPALIER_UNROLL
      for (int r = 0; r < kGemmPass; ++r) {
        const Doubles factor = a[k * kGemmTile + row + r] - Doubles{};
        ESPALIER_UNROLL
        for (int v = 0; v < kGemmVecs; ++v) sums[r][v] += factor * values[v];
      }
    }
    ESPALIER_UNROLL
    for (int r = 0; r < kGemmPass; ++r) {
      ESPALIER_UNROLL
      for (int v = 0; v < kGemmVecs; ++v) {
        DoublesAt* out = reinterpret_cast<DoublesAt*>(c + (row + r) * c_stride +
                                                      v * kVecDoubles);  // auto would lose its alignment
        *out = *out + sums[r][v];
      }
    }
  }
}
