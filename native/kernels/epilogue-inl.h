// What follows a product (Epilogue), on sums that are still in registers.

constexpr float kNoLimit = __builtin_inff();

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

// Columns of sums that lie in memory become rows: kTile x kTile tiles are turned in registers, and a line of
// the output is finished at once.
void finish_transposed(const float* sums, size_t sums_stride, size_t rows, size_t width, float* out,
                       size_t out_stride, const Epilogue& epilogue) noexcept {
  constexpr size_t kRows = 16;
  float turned[kRows * kRows];  // [tokens, rows]
  for (size_t row = 0; row < rows; row += kRows) {
    const size_t tile_rows = rows - row < kRows ? rows - row : kRows;
    for (size_t t = 0; t < width; t += kRows) {
      const size_t tokens = width - t < kRows ? width - t : kRows;
      transpose(sums + row * sums_stride + t, sums_stride, tile_rows, tokens, turned, kRows);
      for (size_t i = 0; i < tokens; ++i) {
        float* y = out + (t + i) * out_stride + row;
        const float* residual = epilogue.residual == nullptr
                                    ? nullptr
                                    : epilogue.residual + (t + i) * epilogue.residual_stride + row;
        for (size_t lane = 0; lane < tile_rows; lane += kLanes) {
          FinishLanes(Load(turned + i * kRows + lane), row + lane, tile_rows - lane,
                      residual == nullptr ? nullptr : residual + lane, y + lane, epilogue);
        }
        if (HasActivation(epilogue)) Activate(epilogue, y, tile_rows);
      }
    }
  }
}
