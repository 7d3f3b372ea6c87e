// Products of a packed weight matrix with one vector (gemv_*). Every weight is used once, so what counts is
// to read the weights in long vectors and to keep several sums in flight.

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

// Blocks shorter than a vector: one vector holds the values of several columns. The last one may reach into
// the next row block, or past the end into the slack of AlignedBuffer: those lanes are computed and dropped.
template <int kBlockRows>
ESPALIER_INLINE void GemvShortBlock(const float* values, const uint32_t* columns, size_t count,
                                    const float* x, size_t row, size_t rows, float* y, const Epilogue& e) {
  constexpr size_t kPerVec = kLanes / kBlockRows;  // columns in a vector
  Vec sums[2] = {Zero(), Zero()};
  size_t i = 0;
  for (; i + 2 * kPerVec <= count; i += 2 * kPerVec) {
    sums[0] = Fma(Spread<kBlockRows>(x, columns + i), Load(values + i * kBlockRows), sums[0]);
    const size_t second = i + kPerVec;
    sums[1] = Fma(Spread<kBlockRows>(x, columns + second), Load(values + second * kBlockRows), sums[1]);
  }
  if (i + kPerVec <= count) {
    sums[0] = Fma(Spread<kBlockRows>(x, columns + i), Load(values + i * kBlockRows), sums[0]);
    i += kPerVec;
  }
  if (i < count) {
    const Vec more = Fma(Spread<kBlockRows>(x, columns + i), Load(values + i * kBlockRows), sums[1]);
    sums[1] = SelectN((count - i) * kBlockRows, more, sums[1]);
  }
  const Vec total = FoldLanes<kBlockRows>(Add(sums[0], sums[1]));
  FinishLanes(total, row, rows < kBlockRows ? rows : kBlockRows, y, e);
}

template <int kBlockRows, bool kDense>
void GemvBlocks(const BlockMatrix& w, size_t row_begin, size_t row_end, const float* x, float* y,
                const Epilogue& e) {
  for (size_t row = row_begin; row < row_end; row += kBlockRows) {
    const size_t block = row / kBlockRows;
    const size_t first = kDense ? block * w.cols : w.offsets[block];
    const size_t count = kDense ? w.cols : w.offsets[block + 1] - first;
    const float* values = w.values + first * kBlockRows;
    const uint32_t* columns = kDense ? nullptr : w.columns + first;
    if constexpr (static_cast<size_t>(kBlockRows) >= kLanes) {
      GemvTallBlock<kBlockRows, kDense>(values, columns, count, x, row, row_end - row, y, e);
    } else {
      GemvShortBlock<kBlockRows>(values, columns, count, x, row, row_end - row, y, e);
    }
  }
}

void gemv_block16(const BlockMatrix& w, size_t row_begin, size_t row_end, const float* x, float* y,
                  const Epilogue& epilogue) noexcept {
  if (w.offsets == nullptr) return GemvBlocks<16, true>(w, row_begin, row_end, x, y, epilogue);
  GemvBlocks<16, false>(w, row_begin, row_end, x, y, epilogue);
}

void gemv_block8(const BlockMatrix& w, size_t row_begin, size_t row_end, const float* x, float* y,
                 const Epilogue& epilogue) noexcept {
  GemvBlocks<8, false>(w, row_begin, row_end, x, y, epilogue);
}

void gemv_block4(const BlockMatrix& w, size_t row_begin, size_t row_end, const float* x, float* y,
                 const Epilogue& epilogue) noexcept {
  GemvBlocks<4, false>(w, row_begin, row_end, x, y, epilogue);
}

void gemv_csr(const CsrMatrix& w, size_t row_begin, size_t row_end, const float* x, float* y,
              const Epilogue& e) noexcept {
  for (size_t row = row_begin; row < row_end; ++row) {
    const size_t first = w.offsets[row];
    float sum = SparseDot(w.values + first, w.columns + first, w.offsets[row + 1] - first, x);
    if (e.bias != nullptr) sum += e.bias[row];
    if (e.residual != nullptr) sum += e.residual[row];
    sum = e.lo > sum ? e.lo : sum;
    y[row] = e.hi < sum ? e.hi : sum;
  }
}
