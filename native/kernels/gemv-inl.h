// Products of a packed weight matrix with one vector (gemv_*). Every weight is used once, so what counts is to read the
// weights in long vectors and to keep several sums in flight.

// y[row ..] = epilogue(sums), where `rows` lanes exist.
ESPALIER_INLINE void FinishLanes(Vec sums, size_t row, size_t rows, float* y, const Epilogue& e) {
  const size_t n = rows < kLanes ? rows : kLanes;
  if (e.bias != nullptr) sums = Add(sums, LoadN(e.bias + row, n));
  if (e.residual != nullptr) sums = Add(sums, LoadN(e.residual + row, n));
  StoreN(y + row, Min(Set1(e.hi), Max(Set1(e.lo), sums)), n);
}

// Blocks at least as tall as a vector: lanes are rows, x is broadcast.
template <int kBlockRows, bool kDense>
ESPALIER_INLINE void GemvTallBlock(const float* values, const uint32_t* columns, size_t count, const float* x,
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
  for (; i + kChains <= count; i += kChains) {
    ESPALIER_UNROLL
    for (size_t c = 0; c < kChains; ++c) {
      const Vec broadcast = Set1(x[kDense ? i + c : columns[i + c]]);
      ESPALIER_UNROLL
      for (int v = 0; v < kVecs; ++v) {
        sums[c][v] = Fma(broadcast, Load(values + (i + c) * kBlockRows + v * kLanes), sums[c][v]);
      }
    }
  }
  for (; i < count; ++i) {
    const Vec broadcast = Set1(x[kDense ? i : columns[i]]);
    ESPALIER_UNROLL
    for (int v = 0; v < kVecs; ++v) {
      sums[0][v] = Fma(broadcast, Load(values + i * kBlockRows + v * kLanes), sums[0][v]);
    }
  }
  ESPALIER_UNROLL
  for (int v = 0; v < kVecs; ++v) {
    ESPALIER_UNROLL
    for (size_t c = 1; c < kChains; ++c) sums[0][v] = Add(sums[0][v], sums[c][v]);
    const size_t done = v * kLanes;
    if (done < rows) FinishLanes(sums[0][v], row + done, rows - done, y, e);
  }
}

// Adds the lanes i, i + kRows, i + 2 kRows ... into lane i < kRows.
template <int kRows>
ESPALIER_INLINE Vec FoldLanes(Vec sums) {
  if constexpr (kLanes >= 16 && kRows <= 8) sums = Add(sums, SwapLanes<8>(sums));
  if constexpr (kLanes >= 8 && kRows <= 4) sums = Add(sums, SwapLanes<4>(sums));
  return sums;
}

// Blocks shorter than a vector: one vector holds the values of several columns.
template <int kBlockRows, bool kDense>
ESPALIER_INLINE void GemvShortBlock(const float* values, const uint32_t* columns, size_t count, const float* x,
                                    size_t row, size_t rows, float* y, const Epilogue& e) {
  constexpr size_t kPerVec = kLanes / kBlockRows;  // columns in a vector
  constexpr size_t kChains = 4;
  uint32_t dense[kPerVec];  // columns counted from i
  for (size_t j = 0; j < kPerVec; ++j) dense[j] = static_cast<uint32_t>(j);
  Vec sums[kChains];
  ESPALIER_UNROLL
  for (size_t c = 0; c < kChains; ++c) sums[c] = Zero();
  size_t i = 0;
  for (; i + kChains * kPerVec <= count; i += kChains * kPerVec) {
    ESPALIER_UNROLL
    for (size_t c = 0; c < kChains; ++c) {
      const size_t at = i + c * kPerVec;
      const Vec xs = kDense ? Spread<kBlockRows>(x + at, dense) : Spread<kBlockRows>(x, columns + at);
      sums[c] = Fma(xs, Load(values + at * kBlockRows), sums[c]);
    }
  }
  for (; i + kPerVec <= count; i += kPerVec) {
    const Vec xs = kDense ? Spread<kBlockRows>(x + i, dense) : Spread<kBlockRows>(x, columns + i);
    sums[0] = Fma(xs, Load(values + i * kBlockRows), sums[0]);
  }
  if (i < count) {
    // Fewer columns than a vector holds: repeat the last one, then clear its lanes.
    const size_t left = count - i;
    uint32_t tail[kPerVec];
    for (size_t j = 0; j < kPerVec; ++j) {
      const size_t at = i + (j < left ? j : left - 1);
      tail[j] = kDense ? static_cast<uint32_t>(at) : columns[at];
    }
    const Vec xs = KeepN(Spread<kBlockRows>(x, tail), left * kBlockRows);
    sums[0] = Fma(xs, LoadN(values + i * kBlockRows, left * kBlockRows), sums[0]);
  }
  const Vec total = FoldLanes<kBlockRows>(Add(Add(sums[0], sums[1]), Add(sums[2], sums[3])));
  FinishLanes(total, row, rows < kBlockRows ? rows : kBlockRows, y, e);
}

template <int kBlockRows, bool kDense>
void GemvBlocks(const BlockMatrix& w, size_t row_begin, size_t row_end, const float* x, float* y, const Epilogue& e) {
  for (size_t row = row_begin; row < row_end; row += kBlockRows) {
    const size_t block = row / kBlockRows;
    const size_t first = kDense ? block * w.cols : w.offsets[block];
    const size_t count = kDense ? w.cols : w.offsets[block + 1] - first;
    const float* values = w.values + first * kBlockRows;
    const uint32_t* columns = kDense ? nullptr : w.columns + first;
    if constexpr (static_cast<size_t>(kBlockRows) >= kLanes) {
      GemvTallBlock<kBlockRows, kDense>(values, columns, count, x, row, row_end - row, y, e);
    } else {
      GemvShortBlock<kBlockRows, kDense>(values, columns, count, x, row, row_end - row, y, e);
    }
  }
}

template <int kBlockRows>
ESPALIER_INLINE void GemvBlock(const BlockMatrix& w, size_t row_begin, size_t row_end, const float* x, float* y,
                               const Epilogue& epilogue) {
  if (w.offsets == nullptr) {
    GemvBlocks<kBlockRows, true>(w, row_begin, row_end, x, y, epilogue);
  } else {
    GemvBlocks<kBlockRows, false>(w, row_begin, row_end, x, y, epilogue);
  }
}

void gemv_block16(const BlockMatrix& w, size_t row_begin, size_t row_end, const float* x, float* y,
                  const Epilogue& epilogue) noexcept {
  GemvBlock<16>(w, row_begin, row_end, x, y, epilogue);
}

void gemv_block8(const BlockMatrix& w, size_t row_begin, size_t row_end, const float* x, float* y,
                 const Epilogue& epilogue) noexcept {
  GemvBlock<8>(w, row_begin, row_end, x, y, epilogue);
}

void gemv_block4(const BlockMatrix& w, size_t row_begin, size_t row_end, const float* x, float* y,
                 const Epilogue& epilogue) noexcept {
  GemvBlock<4>(w, row_begin, row_end, x, y, epilogue);
}

void gemv_csr(const CsrMatrix& w, size_t row_begin, size_t row_end, const float* x, float* y,
              const Epilogue& e) noexcept {
  for (size_t row = row_begin; row < row_end; ++row) {
    const size_t end = w.offsets[row + 1];
    size_t i = w.offsets[row];
    float sum = 0.0f;
    if constexpr (kHasFastGather) {
      Vec sums[2] = {Zero(), Zero()};
      for (; i + 2 * kLanes <= end; i += 2 * kLanes) {
        sums[0] = Fma(Gather(x, w.columns + i), Load(w.values + i), sums[0]);
        sums[1] = Fma(Gather(x, w.columns + i + kLanes), Load(w.values + i + kLanes), sums[1]);
      }
      for (; i + kLanes <= end; i += kLanes) sums[0] = Fma(Gather(x, w.columns + i), Load(w.values + i), sums[0]);
      sum = FoldToOne<SumFold>(Add(sums[0], sums[1]));
    } else {
      float sums[4] = {0.0f, 0.0f, 0.0f, 0.0f};
      for (; i + 4 <= end; i += 4) {
        ESPALIER_UNROLL
        for (int c = 0; c < 4; ++c) sums[c] += w.values[i + c] * x[w.columns[i + c]];
      }
      sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    }
    for (; i < end; ++i) sum += w.values[i] * x[w.columns[i]];
    if (e.bias != nullptr) sum += e.bias[row];
    if (e.residual != nullptr) sum += e.residual[row];
    sum = e.lo > sum ? e.lo : sum;
    y[row] = e.hi < sum ? e.hi : sum;
  }
}
