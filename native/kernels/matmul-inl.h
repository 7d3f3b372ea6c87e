// Products of a packed weight matrix with a panel of columns (panel_matmul_*).
//
// A strip is up to kMaxVecs vectors of the width. For each strip, for each row block: the kRows x kVecs sums
// of a tile stay in registers while the stored columns stream by; one column costs kVecs panel loads, kRows
// broadcast weights and kRows * kVecs fused multiply-adds. The strip of the panel is what must stay in cache.

// Where the sums of a strip go.
struct StripOutput {
  float* out;  // out[row * stride] is the first value of the strip in that row
  size_t stride;
  size_t last;  // lanes of the last vector that exist, 1 .. kLanes
  const Epilogue* epilogue;
  const float* residual;  // as out, or null
};

template <int kVecs>
ESPALIER_INLINE void FinishRow(Vec* sums, size_t row, const StripOutput& to) {
  const Epilogue& e = *to.epilogue;
  if (e.bias != nullptr) {
    const Vec bias = Set1(e.bias[row]);
    ESPALIER_UNROLL
    for (int v = 0; v < kVecs; ++v) sums[v] = Add(sums[v], bias);
  }
  const bool partial = to.last != kLanes;
  if (to.residual != nullptr) {
    const float* residual = to.residual + row * e.residual_stride;
    ESPALIER_UNROLL
    for (int v = 0; v < kVecs; ++v) {
      const float* p = residual + v * kLanes;
      sums[v] = Add(sums[v], v == kVecs - 1 && partial ? LoadN(p, to.last) : Load(p));
    }
  }
  const Vec lo = Set1(e.lo);
  const Vec hi = Set1(e.hi);
  float* out = to.out + row * to.stride;
  ESPALIER_UNROLL
  for (int v = 0; v < kVecs; ++v) {
    const Vec y = Min(hi, Max(lo, sums[v]));
    if (v == kVecs - 1 && partial) {
      StoreN(out + v * kLanes, y, to.last);
    } else {
      Store(out + v * kLanes, y);
    }
  }
}

// Rows of a tile: the most that leave registers for the panel vectors and one weight.
constexpr int TileRows(int block_rows, int vecs) {
  int rows = block_rows;
  while (rows > 1 && rows * vecs + vecs + 1 > kRegisters) rows /= 2;
  return rows;
}

template <int kBlockRows, int kRows, int kVecs, bool kDense>
ESPALIER_INLINE void BlockTile(const float* values, const uint32_t* columns, size_t count, const Panel& panel,
                               size_t row, size_t rows, const StripOutput& to) {
  Vec sums[kRows][kVecs];
  ESPALIER_UNROLL
  for (int r = 0; r < kRows; ++r) {
    ESPALIER_UNROLL
    for (int v = 0; v < kVecs; ++v) sums[r][v] = Zero();
  }
  for (size_t i = 0; i < count; ++i) {
    const float* x = panel.data + panel.rows[kDense ? i : columns[i]];
    Vec xs[kVecs];
    ESPALIER_UNROLL
    for (int v = 0; v < kVecs; ++v) xs[v] = Load(x + v * kLanes);
    ESPALIER_UNROLL
    for (int r = 0; r < kRows; ++r) {
      const Vec weight = Set1(values[i * kBlockRows + r]);
      ESPALIER_UNROLL
      for (int v = 0; v < kVecs; ++v) sums[r][v] = Fma(weight, xs[v], sums[r][v]);
    }
  }
  ESPALIER_UNROLL
  for (int r = 0; r < kRows; ++r) {
    if (static_cast<size_t>(r) < rows) FinishRow<kVecs>(sums[r], row + r, to);
  }
}

template <int kBlockRows, int kVecs, bool kDense>
void BlockStrip(const BlockMatrix& w, size_t row_begin, size_t row_end, const Panel& panel,
                const StripOutput& to) {
  constexpr int kRows = TileRows(kBlockRows, kVecs);
  for (size_t row = row_begin; row < row_end; row += kBlockRows) {
    const size_t block = row / kBlockRows;
    const size_t first = kDense ? block * w.cols : w.offsets[block];
    const size_t count = kDense ? w.cols : w.offsets[block + 1] - first;
    const float* values = w.values + first * kBlockRows;
    const uint32_t* columns = kDense ? nullptr : w.columns + first;
    for (size_t sub = 0; sub < kBlockRows && row + sub < row_end; sub += kRows) {
      BlockTile<kBlockRows, kRows, kVecs, kDense>(values + sub, columns, count, panel, row + sub,
                                                  row_end - row - sub, to);
    }
  }
}

template <int kVecs>
void CsrStrip(const CsrMatrix& w, size_t row_begin, size_t row_end, const Panel& panel,
              const StripOutput& to) {
  // Enough chains of sums to hide the latency of a multiply-add.
  constexpr size_t kChains = kVecs >= 3 ? 2 : kVecs == 2 ? 4 : 8;
  for (size_t row = row_begin; row < row_end; ++row) {
    Vec sums[kChains][kVecs];
    ESPALIER_UNROLL
    for (size_t c = 0; c < kChains; ++c) {
      ESPALIER_UNROLL
      for (int v = 0; v < kVecs; ++v) sums[c][v] = Zero();
    }
    const size_t end = w.offsets[row + 1];
    size_t i = w.offsets[row];
    for (; i + kChains <= end; i += kChains) {
      ESPALIER_UNROLL
      for (size_t c = 0; c < kChains; ++c) {
        const float* x = panel.data + panel.rows[w.columns[i + c]];
        const Vec weight = Set1(w.values[i + c]);
        ESPALIER_UNROLL
        for (int v = 0; v < kVecs; ++v) sums[c][v] = Fma(weight, Load(x + v * kLanes), sums[c][v]);
      }
    }
    for (; i < end; ++i) {
      const float* x = panel.data + panel.rows[w.columns[i]];
      const Vec weight = Set1(w.values[i]);
      ESPALIER_UNROLL
      for (int v = 0; v < kVecs; ++v) sums[0][v] = Fma(weight, Load(x + v * kLanes), sums[0][v]);
    }
    ESPALIER_UNROLL
    for (size_t c = 1; c < kChains; ++c) {
      ESPALIER_UNROLL
      for (int v = 0; v < kVecs; ++v) sums[0][v] = Add(sums[0][v], sums[c][v]);
    }
    FinishRow<kVecs>(sums[0], row, to);
  }
}

// Which strip kernel: blocks of kBlockRows rows, or CSR.
template <int kBlockRows, bool kDense>
struct BlockStrips {
  using Matrix = BlockMatrix;
  static constexpr size_t kMaxVecs = kRegisters == 32 && kBlockRows == 4 ? 6 : 3;
  template <int kVecs>
  static ESPALIER_INLINE void Run(const BlockMatrix& w, size_t row_begin, size_t row_end, const Panel& panel,
                                  const StripOutput& to) {
    BlockStrip<kBlockRows, kVecs, kDense>(w, row_begin, row_end, panel, to);
  }
};

struct CsrStrips {
  using Matrix = CsrMatrix;
  // Wider strips broadcast a weight less often, but their panel leaves the first-level cache: four were
  // faster than eight from 256 columns on. Blocking the columns to keep it there gained nothing: too few
  // weights in a block's row.
  static constexpr size_t kMaxVecs = 4;
  template <int kVecs>
  static ESPALIER_INLINE void Run(const CsrMatrix& w, size_t row_begin, size_t row_end, const Panel& panel,
                                  const StripOutput& to) {
    CsrStrip<kVecs>(w, row_begin, row_end, panel, to);
  }
};

// Cuts the width into strips of nearly equal size: four vectors are 2 + 2, not 3 + 1.
template <typename Strips>
void ForEachStrip(const typename Strips::Matrix& w, size_t row_begin, size_t row_end, const Panel& panel,
                  size_t width, float* out, size_t out_stride, const Epilogue& epilogue) {
  size_t vecs_left = (width + kLanes - 1) / kLanes;
  size_t strips_left = (vecs_left + Strips::kMaxVecs - 1) / Strips::kMaxVecs;
  size_t t = 0;
  for (; strips_left > 0; --strips_left) {
    const size_t vecs = (vecs_left + strips_left - 1) / strips_left;
    const size_t lanes = vecs * kLanes;
    const StripOutput to = {out + t, out_stride, width - t < lanes ? width - t - (lanes - kLanes) : kLanes,
                            &epilogue, epilogue.residual == nullptr ? nullptr : epilogue.residual + t};
    switch (vecs) {
#define ESPALIER_STRIP(kVecs)                                                                    \
  case kVecs:                                                                                    \
    if constexpr (kVecs <= Strips::kMaxVecs)                                                     \
      Strips::template Run<kVecs>(w, row_begin, row_end, Panel{panel.data + t, panel.rows}, to); \
    break;
      ESPALIER_STRIP(1)
      ESPALIER_STRIP(2)
      ESPALIER_STRIP(3)
      ESPALIER_STRIP(4)
      ESPALIER_STRIP(5)
      ESPALIER_STRIP(6)
#undef ESPALIER_STRIP
      default:
        break;
    }
    t += lanes;
    vecs_left -= vecs;
  }
}

void panel_matmul_block16(const BlockMatrix& w, size_t row_begin, size_t row_end, const Panel& panel,
                          size_t width, float* out, size_t out_stride, const Epilogue& epilogue) noexcept {
  if (w.offsets == nullptr) {
    ForEachStrip<BlockStrips<16, true>>(w, row_begin, row_end, panel, width, out, out_stride, epilogue);
  } else {
    ForEachStrip<BlockStrips<16, false>>(w, row_begin, row_end, panel, width, out, out_stride, epilogue);
  }
}

void panel_matmul_block8(const BlockMatrix& w, size_t row_begin, size_t row_end, const Panel& panel,
                         size_t width, float* out, size_t out_stride, const Epilogue& epilogue) noexcept {
  ForEachStrip<BlockStrips<8, false>>(w, row_begin, row_end, panel, width, out, out_stride, epilogue);
}

void panel_matmul_block4(const BlockMatrix& w, size_t row_begin, size_t row_end, const Panel& panel,
                         size_t width, float* out, size_t out_stride, const Epilogue& epilogue) noexcept {
  ForEachStrip<BlockStrips<4, false>>(w, row_begin, row_end, panel, width, out, out_stride, epilogue);
}

void panel_matmul_csr(const CsrMatrix& w, size_t row_begin, size_t row_end, const Panel& panel, size_t width,
                      float* out, size_t out_stride, const Epilogue& epilogue) noexcept {
  ForEachStrip<CsrStrips>(w, row_begin, row_end, panel, width, out, out_stride, epilogue);
}
