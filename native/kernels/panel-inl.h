// Products of a packed weight matrix with a panel of columns (panel_matmul_*), lanes along the columns.
//
// A strip is up to kMaxVecs vectors of the width. For each strip, for each row block: the kRows x kVecs sums
// of a tile stay in registers while the stored columns stream by; one column costs kVecs panel loads, kRows
// broadcast weights and kRows * kVecs fused multiply-adds. The strip of the panel is what must stay in cache.

// The blocks of a row block.
struct BlockRange {
  size_t first;
  size_t count;
};
ESPALIER_INLINE BlockRange BlocksOf(const BlockMatrix& w, size_t row_block) {
  if (w.offsets == nullptr) return {row_block * w.cols, w.cols};
  return {w.offsets[row_block], w.ends[row_block] - w.offsets[row_block]};
}

// Where the panel's rows start, for the blocks of a row block: dense ones see them one after the other.
template <bool kDense>
ESPALIER_INLINE Panel PanelOf(const BlockMatrix& w, size_t row_block, const BlockRange& blocks,
                              const Panel& panel) {
  const size_t skipped = kDense ? blocks.first - row_block * w.cols : 0;
  return {panel.data, panel.rows + skipped, panel.stride};
}

// Rows of a tile: the most that leave registers for the panel vectors and one weight.
constexpr int TileRows(int block_rows, int vecs) {
  int rows = block_rows;
  while (rows > 4 && rows * vecs + vecs + 1 > kRegisters) rows /= 2;
  return rows;
}

template <typename Value, int kBlockRows, int kRows, int kVecs, bool kDense>
ESPALIER_INLINE void BlockTile(const Value* values, const Value* ahead, const uint16_t* columns, size_t count,
                               const Panel& panel, size_t row, size_t rows, const RowOutput& to) {
  static_assert(kRows % 4 == 0);
  Vec sums[kRows][kVecs];
  ESPALIER_UNROLL
  for (int r = 0; r < kRows; ++r) {
    ESPALIER_UNROLL
    for (int v = 0; v < kVecs; ++v) sums[r][v] = Zero();
  }
  ESPALIER_MCA_LOOP("panel tile", kRows, kVecs);
  for (size_t i = 0; i < count; ++i) {
    const float* x = panel.data + panel.rows[kDense ? i : columns[i]];
    Vec xs[kVecs];
    ESPALIER_UNROLL
    for (int v = 0; v < kVecs; ++v) xs[v] = Load(x + v * kLanes);
    // Blocks that take two tiles are read by the first and found in cache by the second: the next one is
    // fetched meanwhile, so that large weights stream from memory all the time instead of every other tile.
    if constexpr (kRows < kBlockRows) __builtin_prefetch(ahead + i * kBlockRows);
    ESPALIER_UNROLL
    for (int r = 0; r < kRows; r += 4) {
      const auto quad = SeeQuad(values + i * kBlockRows + r);
      const Vec weights[4] = {LaneOf<0>(quad), LaneOf<1>(quad), LaneOf<2>(quad), LaneOf<3>(quad)};
      ESPALIER_UNROLL
      for (int q = 0; q < 4; ++q) {
        ESPALIER_UNROLL
        for (int v = 0; v < kVecs; ++v) sums[r + q][v] = Fma(weights[q], xs[v], sums[r + q][v]);
      }
    }
  }
  ESPALIER_UNROLL
  for (int r = 0; r < kRows; ++r) {
    if (static_cast<size_t>(r) < rows) FinishRow<kVecs>(sums[r], row + r, to);
  }
}

template <typename Value, int kBlockRows, int kVecs, bool kDense>
void BlockStrip(const BlockMatrix& w, size_t row_begin, size_t row_end, const Panel& panel,
                const RowOutput& to) {
  constexpr int kRows = TileRows(kBlockRows, kVecs);
  const Value* all_values = static_cast<const Value*>(w.values.data);
  for (size_t row = row_begin; row < row_end; row += kBlockRows) {
    const size_t row_block = row / kBlockRows;
    const BlockRange blocks = BlocksOf(w, row_block);
    const Value* values = all_values + blocks.first * kBlockRows;
    const uint16_t* columns = kDense ? nullptr : w.columns + blocks.first;
    const Panel inputs = PanelOf<kDense>(w, row_block, blocks, panel);
    const bool last = row + kBlockRows >= row_end;
    const Value* next = last ? values : all_values + BlocksOf(w, row_block + 1).first * kBlockRows;
    for (size_t sub = 0; sub < kBlockRows && row + sub < row_end; sub += kRows) {
      BlockTile<Value, kBlockRows, kRows, kVecs, kDense>(values + sub, sub == 0 ? next : values, columns,
                                                         blocks.count, inputs, row + sub, row_end - row - sub,
                                                         to);
    }
  }
}

template <int kVecs>
void CsrStrip(const CsrMatrix& w, size_t row_begin, size_t row_end, const Panel& panel, const RowOutput& to) {
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
template <typename Value, int kBlockRows, bool kDense>
struct BlockStrips {
  using Matrix = BlockMatrix;
  static constexpr size_t kMaxVecs = kRegisters == 32 && kBlockRows == 4 ? 6 : 3;
  template <int kVecs>
  static ESPALIER_INLINE void Run(const BlockMatrix& w, size_t row_begin, size_t row_end, const Panel& panel,
                                  const RowOutput& to) {
    BlockStrip<Value, kBlockRows, kVecs, kDense>(w, row_begin, row_end, panel, to);
  }
};

struct CsrStrips {
  using Matrix = CsrMatrix;
  static constexpr size_t kMaxVecs = 4;  // wider strips leave the first-level cache
  template <int kVecs>
  static ESPALIER_INLINE void Run(const CsrMatrix& w, size_t row_begin, size_t row_end, const Panel& panel,
                                  const RowOutput& to) {
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
    const size_t last = width - t < lanes ? width - t - (vecs - 1) * kLanes : kLanes;
    const RowOutput to = {out + t, out_stride, last,
                          epilogue.residual == nullptr ? nullptr : epilogue.residual + t, &epilogue};
    const Panel strip = {panel.data + t, panel.rows, panel.stride};
    switch (vecs) {
#define ESPALIER_STRIP(kVecs)                                                                               \
  case kVecs:                                                                                               \
    if constexpr (kVecs <= Strips::kMaxVecs) Strips::template Run<kVecs>(w, row_begin, row_end, strip, to); \
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

template <int kBlockRows>
void PanelBlocks(const BlockMatrix& w, size_t row_begin, size_t row_end, const Panel& panel, size_t width,
                 float* out, size_t out_stride, const Epilogue& e) {
  if (w.values.half) {
    ForEachStrip<BlockStrips<Half, kBlockRows, false>>(w, row_begin, row_end, panel, width, out, out_stride,
                                                       e);
  } else {
    ForEachStrip<BlockStrips<float, kBlockRows, false>>(w, row_begin, row_end, panel, width, out, out_stride,
                                                        e);
  }
}

void panel_matmul_block16(const BlockMatrix& w, size_t row_begin, size_t row_end, const Panel& panel,
                          size_t width, float* out, size_t out_stride, const Epilogue& epilogue) noexcept {
  if (w.columns != nullptr) {
    return PanelBlocks<16>(w, row_begin, row_end, panel, width, out, out_stride, epilogue);
  }
  if (w.values.half) {
    ForEachStrip<BlockStrips<Half, 16, true>>(w, row_begin, row_end, panel, width, out, out_stride, epilogue);
  } else {
    ForEachStrip<BlockStrips<float, 16, true>>(w, row_begin, row_end, panel, width, out, out_stride,
                                               epilogue);
  }
}

void panel_matmul_block8(const BlockMatrix& w, size_t row_begin, size_t row_end, const Panel& panel,
                         size_t width, float* out, size_t out_stride, const Epilogue& epilogue) noexcept {
  PanelBlocks<8>(w, row_begin, row_end, panel, width, out, out_stride, epilogue);
}

void panel_matmul_block4(const BlockMatrix& w, size_t row_begin, size_t row_end, const Panel& panel,
                         size_t width, float* out, size_t out_stride, const Epilogue& epilogue) noexcept {
  PanelBlocks<4>(w, row_begin, row_end, panel, width, out, out_stride, epilogue);
}

void panel_matmul_csr(const CsrMatrix& w, size_t row_begin, size_t row_end, const Panel& panel, size_t width,
                      float* out, size_t out_stride, const Epilogue& epilogue) noexcept {
  ForEachStrip<CsrStrips>(w, row_begin, row_end, panel, width, out, out_stride, epilogue);
}
