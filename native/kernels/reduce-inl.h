// Folds: a row to a value, a row into a row, and the row kernels that start with one (softmax, layer
// normalisation).

struct SumFold {
  static constexpr float kStart = 0.0f;
  static ESPALIER_INLINE Vec Map(Vec x) { return x; }
  static ESPALIER_INLINE Vec Fold(Vec a, Vec b) { return Add(a, b); }
};
struct SumSquareFold : SumFold {
  static ESPALIER_INLINE Vec Map(Vec x) { return Mul(x, x); }
};
struct SumAbsFold : SumFold {
  static ESPALIER_INLINE Vec Map(Vec x) { return Abs(x); }
};
struct MaxFold {
  static constexpr float kStart = -kInfinity;
  static ESPALIER_INLINE Vec Map(Vec x) { return x; }
  static ESPALIER_INLINE Vec Fold(Vec a, Vec b) { return MaxOfData(a, b); }
};
struct MinFold {
  static constexpr float kStart = kInfinity;
  static ESPALIER_INLINE Vec Map(Vec x) { return x; }
  static ESPALIER_INLINE Vec Fold(Vec a, Vec b) { return MinOfData(a, b); }
};
struct ProdFold {
  static constexpr float kStart = 1.0f;
  static ESPALIER_INLINE Vec Map(Vec x) { return x; }
  static ESPALIER_INLINE Vec Fold(Vec a, Vec b) { return Mul(a, b); }
};

// The lanes of x folded to one value.
template <typename F>
ESPALIER_INLINE float FoldToOne(Vec x) {
  if constexpr (kLanes >= 16) x = F::Fold(x, SwapLanes<8>(x));
  if constexpr (kLanes >= 8) x = F::Fold(x, SwapLanes<4>(x));
  if constexpr (kLanes >= 4) x = F::Fold(x, SwapLanes<2>(x));
  if constexpr (kLanes >= 2) x = F::Fold(x, SwapLanes<1>(x));
  float y;
  StoreN(&y, x, 1);
  return y;
}

template <typename F>
float FoldRow(const float* x, size_t n) {
  constexpr size_t kChains = 4;
  Vec folds[kChains];
  ESPALIER_UNROLL
  for (size_t c = 0; c < kChains; ++c) folds[c] = Set1(F::kStart);
  size_t i = 0;
  for (; i + kChains * kLanes <= n; i += kChains * kLanes) {
    ESPALIER_UNROLL
    for (size_t c = 0; c < kChains; ++c) folds[c] = F::Fold(folds[c], F::Map(Load(x + i + c * kLanes)));
  }
  for (; i + kLanes <= n; i += kLanes) folds[0] = F::Fold(folds[0], F::Map(Load(x + i)));
  Vec fold = F::Fold(F::Fold(folds[0], folds[1]), F::Fold(folds[2], folds[3]));
  if (i < n) {
    const Vec rest = F::Fold(fold, F::Map(LoadN(x + i, n - i)));
    fold = SelectN(n - i, rest, fold);
  }
  return FoldToOne<F>(fold);
}

float reduce(ReduceOp op, const float* x, size_t n) noexcept {
  switch (op) {
    case ReduceOp::kSum:
      return FoldRow<SumFold>(x, n);
    case ReduceOp::kMax:
      return FoldRow<MaxFold>(x, n);
    case ReduceOp::kMin:
      return FoldRow<MinFold>(x, n);
    case ReduceOp::kSumSquare:
      return FoldRow<SumSquareFold>(x, n);
    case ReduceOp::kSumAbs:
      return FoldRow<SumAbsFold>(x, n);
    case ReduceOp::kProd:
      return FoldRow<ProdFold>(x, n);
    case ReduceOp::kCount:
      break;
  }
  return 0.0f;
}

template <typename F>
void FoldInto(const float* x, float* y, size_t n) {
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) Store(y + i, F::Fold(Load(y + i), F::Map(Load(x + i))));
  if (i < n) StoreN(y + i, F::Fold(LoadN(y + i, n - i), F::Map(LoadN(x + i, n - i))), n - i);
}

void accumulate(ReduceOp op, const float* x, float* y, size_t n) noexcept {
  switch (op) {
    case ReduceOp::kSum:
      return FoldInto<SumFold>(x, y, n);
    case ReduceOp::kMax:
      return FoldInto<MaxFold>(x, y, n);
    case ReduceOp::kMin:
      return FoldInto<MinFold>(x, y, n);
    case ReduceOp::kSumSquare:
      return FoldInto<SumSquareFold>(x, y, n);
    case ReduceOp::kSumAbs:
      return FoldInto<SumAbsFold>(x, y, n);
    case ReduceOp::kProd:
      return FoldInto<ProdFold>(x, y, n);
    case ReduceOp::kCount:
      return;
  }
}

void softmax(const float* x, float* y, size_t n) noexcept {
  const Vec max = Set1(FoldRow<MaxFold>(x, n));
  Vec sums = Zero();
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const Vec e = Exp(Sub(Load(x + i), max));
    Store(y + i, e);
    sums = Add(sums, e);
  }
  if (i < n) {
    const Vec e = Exp(Sub(LoadN(x + i, n - i), max));
    StoreN(y + i, e, n - i);
    sums = Add(sums, KeepN(e, n - i));
  }
  const float sum = FoldToOne<SumFold>(sums);
  MapBinary<DivOp>(y, 1, &sum, 0, y, n);
}

// M. Milakov and N. Gimelshein, "Online normalizer calculation for softmax", 2018, arXiv 1805.02867.
void online_softmax(float* scores, size_t keys, size_t stride, size_t width, float* max, float* sum,
                    float* factor) noexcept {
  constexpr size_t kChains = 4;
  for (size_t t = 0; t < width; t += kLanes) {
    const Vec before = Load(max + t);
    Vec largest[kChains] = {before, before, before, before};
    size_t key = 0;
    for (; key + kChains <= keys; key += kChains) {
      ESPALIER_UNROLL
      for (size_t c = 0; c < kChains; ++c) {
        largest[c] = Max(largest[c], Load(scores + (key + c) * stride + t));
      }
    }
    for (; key < keys; ++key) largest[0] = Max(largest[0], Load(scores + key * stride + t));
    const Vec now = Max(Max(largest[0], largest[1]), Max(largest[2], largest[3]));
    Vec sums[2] = {Zero(), Zero()};
    for (key = 0; key + 2 <= keys; key += 2) {
      ESPALIER_UNROLL
      for (size_t c = 0; c < 2; ++c) {
        float* score = scores + (key + c) * stride + t;
        const Vec e = Exp(Sub(Load(score), now));
        Store(score, e);
        sums[c] = Add(sums[c], e);
      }
    }
    if (key < keys) {
      float* score = scores + key * stride + t;
      const Vec e = Exp(Sub(Load(score), now));
      Store(score, e);
      sums[0] = Add(sums[0], e);
    }
    const Vec rescale = Exp(Sub(before, now));
    Store(factor + t, rescale);
    Store(sum + t, Fma(Load(sum + t), rescale, Add(sums[0], sums[1])));
    Store(max + t, now);
  }
}

void layer_norm(const float* x, const float* scale, const float* bias, float epsilon, float* y,
                size_t n) noexcept {
  if (n == 0) return;
  const Vec mean = Set1(FoldRow<SumFold>(x, n) / static_cast<float>(n));
  // The variance in a second pass: sum(x^2) - mean^2 loses every digit when the mean is large.
  Vec sums[2] = {Zero(), Zero()};
  size_t i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
    const Vec d0 = Sub(Load(x + i), mean);
    const Vec d1 = Sub(Load(x + i + kLanes), mean);
    sums[0] = Fma(d0, d0, sums[0]);
    sums[1] = Fma(d1, d1, sums[1]);
  }
  for (; i < n; i += kLanes) {
    const size_t lanes = n - i < kLanes ? n - i : kLanes;
    const Vec d = KeepN(Sub(LoadN(x + i, lanes), mean), lanes);
    sums[0] = Fma(d, d, sums[0]);
  }
  const float variance = FoldToOne<SumFold>(Add(sums[0], sums[1])) / static_cast<float>(n);
  const Vec inverse = Set1(1.0f / __builtin_sqrtf(variance + epsilon));
  for (i = 0; i < n; i += kLanes) {
    const size_t lanes = n - i < kLanes ? n - i : kLanes;
    Vec v = Mul(Sub(LoadN(x + i, lanes), mean), inverse);
    if (scale != nullptr) v = Mul(v, LoadN(scale + i, lanes));
    if (bias != nullptr) v = Add(v, LoadN(bias + i, lanes));
    StoreN(y + i, v, lanes);
  }
}
