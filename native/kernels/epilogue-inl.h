// What follows a product (Epilogue), on sums that are still in registers.

ESPALIER_INLINE bool HasActivation(const Epilogue& e) { return e.activation != UnaryOp::kCopy; }

// The activation, on n values that were just stored: from the first-level cache, and by one branch that goes
// the same way for the whole product, instead of code for every activation in every kernel.
ESPALIER_INLINE void Activate(const Epilogue& e, float* y, size_t n) {
  unary(e.activation, e.alpha, e.beta, y, y, n);
}

// The sums of `kVecs` vectors of one output row: out[row * stride + v * kLanes], whose last vector has `last`
// lanes.
struct RowOutput {
  float* out;
  size_t stride;
  size_t last;            // 1 .. kLanes
  const float* residual;  // as out, with the epilogue's stride, or null
  const Epilogue* epilogue;
};

template <int kVecs>
ESPALIER_INLINE void FinishRow(Vec* sums, size_t row, const RowOutput& to) {
  const Epilogue& e = *to.epilogue;
  if (e.scale != nullptr) {
    const Vec scale = Set1(e.scale[row]);
    ESPALIER_UNROLL
    for (int v = 0; v < kVecs; ++v) sums[v] = Mul(sums[v], scale);
  }
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
  if (HasActivation(e)) Activate(e, out, (kVecs - 1) * kLanes + to.last);
}

// Lanes are rows row, row + 1, ... of which n exist: y[i] = epilogue(sums) for i < n, without the activation.
// `residual` is null or starts where y does.
ESPALIER_INLINE void FinishLanes(Vec sums, size_t row, size_t n, const float* residual, float* y,
                                 const Epilogue& e) {
  if (n >= kLanes) {
    if (e.scale != nullptr) sums = Mul(sums, Load(e.scale + row));
    if (e.bias != nullptr) sums = Add(sums, Load(e.bias + row));
    if (residual != nullptr) sums = Add(sums, Load(residual));
    Store(y, Min(Set1(e.hi), Max(Set1(e.lo), sums)));
    return;
  }
  if (e.scale != nullptr) sums = Mul(sums, LoadN(e.scale + row, n));
  if (e.bias != nullptr) sums = Add(sums, LoadN(e.bias + row, n));
  if (residual != nullptr) sums = Add(sums, LoadN(residual, n));
  StoreN(y, Min(Set1(e.hi), Max(Set1(e.lo), sums)), n);
}

// Rows of sums that lie in memory.
void finish_rows(const float* sums, size_t sums_stride, size_t rows, size_t width, float* out,
                 size_t out_stride, const Epilogue& epilogue) noexcept {
  for (size_t row = 0; row < rows; ++row) {
    for (size_t t = 0; t < width; t += kLanes) {
      const size_t last = width - t < kLanes ? width - t : kLanes;
      const RowOutput to = {out + t, out_stride, last,
                            epilogue.residual == nullptr ? nullptr : epilogue.residual + t, &epilogue};
      Vec sum = Load(sums + row * sums_stride + t);
      FinishRow<1>(&sum, row, to);
    }
  }
}

// FinishLanes of `count` rows of one token, whose sums lie side by side and may be read in whole vectors.
ESPALIER_INLINE void FinishLine(const float* sums, size_t row, size_t count, const float* residual, float* y,
                                const Epilogue& e) {
  constexpr size_t kVecs = 4;
  size_t lane = 0;
  for (; lane + kVecs * kLanes <= count; lane += kVecs * kLanes) {
    Vec values[kVecs];
    ESPALIER_UNROLL
    for (size_t v = 0; v < kVecs; ++v) values[v] = Load(sums + lane + v * kLanes);
    if (e.scale != nullptr) {
      ESPALIER_UNROLL
      for (size_t v = 0; v < kVecs; ++v) values[v] = Mul(values[v], Load(e.scale + row + lane + v * kLanes));
    }
    if (e.bias != nullptr) {
      ESPALIER_UNROLL
      for (size_t v = 0; v < kVecs; ++v) values[v] = Add(values[v], Load(e.bias + row + lane + v * kLanes));
    }
    if (residual != nullptr) {
      ESPALIER_UNROLL
      for (size_t v = 0; v < kVecs; ++v) values[v] = Add(values[v], Load(residual + lane + v * kLanes));
    }
    ESPALIER_UNROLL
    for (size_t v = 0; v < kVecs; ++v) {
      Store(y + lane + v * kLanes, Min(Set1(e.hi), Max(Set1(e.lo), values[v])));
    }
  }
  for (; lane < count; lane += kLanes) {
    FinishLanes(Load(sums + lane), row + lane, count - lane, residual == nullptr ? nullptr : residual + lane,
                y + lane, e);
  }
}

// Columns of sums that lie in memory become rows. Some rows of sums are turned into lines of a small buffer
// first, so that every line of the output is written from one end to the other: where the tokens of an output
// are a multiple of 4 KiB apart they all want the same few lines of the cache. A line of kRows values is long
// enough for the processor to fetch the output ahead of the stores: with half of it they take twice the time.
void finish_transposed(const float* sums, size_t sums_stride, size_t rows, size_t width, float* out,
                       size_t out_stride, const Epilogue& e) noexcept {
  constexpr size_t kRows = 128;
  constexpr size_t kTokens = 16;
  alignas(64) float lines[kTokens * kRows];
  for (size_t first = 0; first < rows; first += kRows) {
    const size_t count = rows - first < kRows ? rows - first : kRows;
    for (size_t t = 0; t < width; t += kTokens) {
      const size_t tokens = width - t < kTokens ? width - t : kTokens;
      transpose(sums + first * sums_stride + t, sums_stride, count, tokens, lines, kRows);
      for (size_t i = 0; i < tokens; ++i) {
        float* y = out + (t + i) * out_stride + first;
        const float* residual =
            e.residual == nullptr ? nullptr : e.residual + (t + i) * e.residual_stride + first;
        FinishLine(lines + i * kRows, first, count, residual, y, e);
        if (HasActivation(e)) Activate(e, y, count);
      }
    }
  }
}
