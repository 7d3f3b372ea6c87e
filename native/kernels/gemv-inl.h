// Products of a packed weight matrix with one vector (gemv_*). Every weight is used once, so what counts is
// to read the weights in long vectors and to keep several sums in flight.

// Blocks at least as tall as a vector: lanes are rows, x is broadcast.
template <typename Value, int kBlockRows, bool kDense>
ESPALIER_INLINE void GemvTallBlock(const Value* values, const uint16_t* columns, size_t count, const float* x,
                                   size_t row, size_t rows, float* y, const Epilogue& e) {
  constexpr int kVecs = kBlockRows / static_cast<int>(kLanes);
  constexpr size_t kChains = kVecs >= 4 ? 1 : 4;
  Vec sums[kChains][kVecs];
  ESPALIER_UNROLL
  for (size_t c = 0; c < kChains; ++c) {
    ESPALIER_UNROLL
    for (int v = 0; v < kVecs; ++v) sums[c][v] = Zero();
  }
  size_t i = 0;
  ESPALIER_MCA_LOOP("gemv blocks", kBlockRows);
  for (; i + kChains <= count; i += kChains) {
    ESPALIER_UNROLL
    for (size_t c = 0; c < kChains; ++c) {
      const Vec broadcast = Set1(x[kDense ? i + c : columns[i + c]]);
      ESPALIER_UNROLL
      for (int v = 0; v < kVecs; ++v) {
        sums[c][v] = Fma(broadcast, LoadValues(values + (i + c) * kBlockRows + v * kLanes), sums[c][v]);
      }
    }
  }
  for (; i < count; ++i) {
    const Vec broadcast = Set1(x[kDense ? i : columns[i]]);
    ESPALIER_UNROLL
    for (int v = 0; v < kVecs; ++v) {
      sums[0][v] = Fma(broadcast, LoadValues(values + i * kBlockRows + v * kLanes), sums[0][v]);
    }
  }
  ESPALIER_UNROLL
  for (int v = 0; v < kVecs; ++v) {
    ESPALIER_UNROLL
    for (size_t c = 1; c < kChains; ++c) sums[0][v] = Add(sums[0][v], sums[c][v]);
    const size_t at = row + v * kLanes;
    if (v * kLanes >= rows) break;
    FinishLanes(sums[0][v], at, rows - v * kLanes, e.residual == nullptr ? nullptr : e.residual + at, y + at,
                e);
  }
}

// One block row of blocks shorter than a vector: a vector holds the values of kLanes / kBlockRows columns,
// and lane i of the sum belongs to row i % kBlockRows. The last vector may reach into the next row block, or
// past the end into the slack of AlignedBuffer: those lanes are computed and dropped.
template <typename Value, int kBlockRows>
ESPALIER_INLINE Vec ShortBlockSums(const Value* values, const uint16_t* columns, size_t count,
                                   const float* x) {
  constexpr size_t kPerVec = kLanes / kBlockRows;  // columns in a vector
  Vec sums[2] = {Zero(), Zero()};
  size_t i = 0;
  for (; i + 2 * kPerVec <= count; i += 2 * kPerVec) {
    const size_t second = i + kPerVec;
    sums[0] = Fma(Spread<kBlockRows>(x, columns + i), LoadValues(values + i * kBlockRows), sums[0]);
    sums[1] = Fma(Spread<kBlockRows>(x, columns + second), LoadValues(values + second * kBlockRows), sums[1]);
  }
  if (i + kPerVec <= count) {
    sums[0] = Fma(Spread<kBlockRows>(x, columns + i), LoadValues(values + i * kBlockRows), sums[0]);
    i += kPerVec;
  }
  if (i < count) {
    const Vec more = Fma(Spread<kBlockRows>(x, columns + i), LoadValues(values + i * kBlockRows), sums[1]);
    sums[1] = SelectN((count - i) * kBlockRows, more, sums[1]);
  }
  return Add(sums[0], sums[1]);
}

// As many block rows as make a vector of outputs.
template <typename Value, int kBlockRows>
ESPALIER_INLINE void GemvShortBlocks(const BlockMatrix& w, size_t row, size_t row_end, const float* x,
                                     float* y, const Epilogue& e) {
  constexpr size_t kParts = kLanes / kBlockRows;
  const Value* values = static_cast<const Value*>(w.values.data);
  Vec sums[kParts];
  ESPALIER_UNROLL
  for (size_t p = 0; p < kParts; ++p) {
    sums[p] = Zero();
    if (row + p * kBlockRows >= row_end) continue;
    const BlockRange blocks = BlocksOf(w, row / kBlockRows + p);
    sums[p] = ShortBlockSums<Value, kBlockRows>(values + blocks.first * kBlockRows, w.columns + blocks.first,
                                                blocks.count, x);
  }
  Vec total;
  if constexpr (kParts == 4) {
    total = FoldQuarters(sums[0], sums[1], sums[2], sums[3]);
  } else {
    total = FoldHalves(sums[0], sums[1]);
  }
  FinishLanes(total, row, row_end - row, e.residual == nullptr ? nullptr : e.residual + row, y + row, e);
}

template <typename Value, int kBlockRows, bool kDense>
void GemvBlocks(const BlockMatrix& w, size_t row_begin, size_t row_end, const float* x, float* y,
                const Epilogue& e) {
  if constexpr (static_cast<size_t>(kBlockRows) < kLanes) {
    for (size_t row = row_begin; row < row_end; row += kLanes) {
      GemvShortBlocks<Value, kBlockRows>(w, row, row_end, x, y, e);
    }
  } else {
    for (size_t row = row_begin; row < row_end; row += kBlockRows) {
      const BlockRange blocks = BlocksOf(w, row / kBlockRows);
      const Value* values = static_cast<const Value*>(w.values.data) + blocks.first * kBlockRows;
      GemvTallBlock<Value, kBlockRows, kDense>(values, kDense ? nullptr : w.columns + blocks.first,
                                               blocks.count, x, row, row_end - row, y, e);
    }
  }
  if (HasActivation(e)) Activate(e, y + row_begin, row_end - row_begin);
}

template <int kBlockRows>
void GemvSparseBlocks(const BlockMatrix& w, size_t row_begin, size_t row_end, const float* x, float* y,
                      const Epilogue& e) {
  if (w.values.half) return GemvBlocks<Half, kBlockRows, false>(w, row_begin, row_end, x, y, e);
  GemvBlocks<float, kBlockRows, false>(w, row_begin, row_end, x, y, e);
}

void gemv_block16(const BlockMatrix& w, size_t row_begin, size_t row_end, const float* x, float* y,
                  const Epilogue& epilogue) noexcept {
  if (w.columns != nullptr) return GemvSparseBlocks<16>(w, row_begin, row_end, x, y, epilogue);
  if (w.values.half) return GemvBlocks<Half, 16, true>(w, row_begin, row_end, x, y, epilogue);
  GemvBlocks<float, 16, true>(w, row_begin, row_end, x, y, epilogue);
}

void gemv_block8(const BlockMatrix& w, size_t row_begin, size_t row_end, const float* x, float* y,
                 const Epilogue& epilogue) noexcept {
  GemvSparseBlocks<8>(w, row_begin, row_end, x, y, epilogue);
}

void gemv_block4(const BlockMatrix& w, size_t row_begin, size_t row_end, const float* x, float* y,
                 const Epilogue& epilogue) noexcept {
  GemvSparseBlocks<4>(w, row_begin, row_end, x, y, epilogue);
}

void gemv_csr(const CsrMatrix& w, size_t row_begin, size_t row_end, const float* x, float* y,
              const Epilogue& e) noexcept {
  for (size_t row = row_begin; row < row_end; ++row) {
    const size_t first = w.offsets[row];
    float sum = SparseDot(w.values + first, w.columns + first, w.offsets[row + 1] - first, x);
    if (e.scale != nullptr) sum *= e.scale[row];
    if (e.bias != nullptr) sum += e.bias[row];
    if (e.residual != nullptr) sum += e.residual[row];
    sum = e.lo > sum ? e.lo : sum;
    y[row] = e.hi < sum ? e.hi : sum;
  }
  if (HasActivation(e)) Activate(e, y + row_begin, row_end - row_begin);
}

// Lanes are rows; what each multiplies is collected from the slot's window.
template <typename Value>
void GemvEll(const EllMatrix& w, size_t row_begin, size_t row_end, const float* x, float* y,
             const Epilogue& e) {
  constexpr int kVecs = 16 / static_cast<int>(kLanes);
  constexpr size_t kChains = kVecs == 1 ? 4 : kVecs == 2 ? 2 : 1;
  const Value* all_values = static_cast<const Value*>(w.values.data);
  for (size_t row = row_begin; row < row_end; row += 16) {
    Vec sums[kChains][kVecs];
    ESPALIER_UNROLL
    for (size_t c = 0; c < kChains; ++c) {
      ESPALIER_UNROLL
      for (int v = 0; v < kVecs; ++v) sums[c][v] = Zero();
    }
    const size_t end = w.offsets[row / 16 + 1];
    size_t slot = w.offsets[row / 16];
    ESPALIER_MCA_LOOP("gemv ell");
    for (; slot + kChains <= end; slot += kChains) {
      ESPALIER_UNROLL
      for (size_t c = 0; c < kChains; ++c) {
        const float* window = x + w.windows[slot + c];
        ESPALIER_UNROLL
        for (int v = 0; v < kVecs; ++v) {
          const size_t at = (slot + c) * 16 + v * kLanes;
          sums[c][v] = Fma(Collect(window, w.columns + at), LoadValues(all_values + at), sums[c][v]);
        }
      }
    }
    for (; slot < end; ++slot) {
      const float* window = x + w.windows[slot];
      ESPALIER_UNROLL
      for (int v = 0; v < kVecs; ++v) {
        const size_t at = slot * 16 + v * kLanes;
        sums[0][v] = Fma(Collect(window, w.columns + at), LoadValues(all_values + at), sums[0][v]);
      }
    }
    ESPALIER_UNROLL
    for (int v = 0; v < kVecs; ++v) {
      ESPALIER_UNROLL
      for (size_t c = 1; c < kChains; ++c) sums[0][v] = Add(sums[0][v], sums[c][v]);
      const size_t lane = v * kLanes;
      if (row + lane >= row_end) break;
      FinishLanes(sums[0][v], row + lane, row_end - row - lane,
                  e.residual == nullptr ? nullptr : e.residual + row + lane, y + row + lane, e);
    }
  }
  if (HasActivation(e)) Activate(e, y + row_begin, row_end - row_begin);
}

void gemv_ell(const EllMatrix& w, size_t row_begin, size_t row_end, const float* x, float* y,
              const Epilogue& epilogue) noexcept {
  if (w.values.half) return GemvEll<Half>(w, row_begin, row_end, x, y, epilogue);
  GemvEll<float>(w, row_begin, row_end, x, y, epilogue);
}
