// The Vec vocabulary with one lane, in plain C++: the reference the other instruction sets are measured
// against, and what runs on a CPU that has none of them.
//
// Every vec_*.h defines the same names, and is included inside the namespace of its instruction set:
//  - Vec, Mask, kLanes: a vector of kLanes floats, a truth value per lane.
//  - kRegisters: vector registers a kernel may count on.
//  - LoadN, StoreN: the first n lanes, n <= kLanes; LoadN gives zero in the others and reads nothing there.
//  - LoadHalf(p): kLanes numbers of IEEE half precision, widened; exact, whether or not denormals are
//  flushed.
//  - Min(limit, x), Max(limit, x): pass x through when x is NaN.
//  - Fma(a, b, c) is a * b + c; Fnma(a, b, c) is c - a * b.
//  - SwapLanes<k>(x): lane i of the result is lane i ^ k of x.
//  - ScaleByPow2(x, n): x * 2^n for integral n in [-160, 130].
//  - SplitExponent(x, m, e): x = m * 2^e with m in [sqrt(1/2), sqrt(2)), for x positive, finite and normal.
//  - Spread<r>(x, columns): lane i of the result is x[columns[i / r]]. Only where r < kLanes.
//  - FoldHalves(a, b): the halves of a added, then those of b; FoldQuarters(a, b, c, d) likewise. Only where
//  a
//    half, or a quarter, is a block of rows.
//  - LoadQuad(p), LaneOf<i>(quad): four weights; the i-th in every lane. SeeQuad(p) likewise, for a kernel
//  whose
//    load ports have room.
//  - Collect(x, columns): lane i is x[columns[i]], columns below 32 and x readable up to there.
//  - TileRow, kTile: a square of values that a transpose turns at once. TurnTile(rows) turns one in place,
//    LoadTurned(x, x_stride, rows) loads one turned.
//  - Unzip(low, high, apart): every second lane of both, then the others.
//  - LoadApart(p, x): lane i of x[j] is p[4 i + j], j < 4; StoreTogether(p, x) is its inverse.
//  - SparseDot(values, columns, count, x): the sum of values[i] * x[columns[i]].
//  - SelectN(n, yes, no): the first n lanes of yes, the others of no. KeepN(x, n): zero in the others.

struct Vec {
  float v;
};
struct Mask {
  bool m;
};

constexpr size_t kLanes = 1;
constexpr int kRegisters = 16;

ESPALIER_INLINE Vec Zero() { return {0.0f}; }
ESPALIER_INLINE Vec Set1(float x) { return {x}; }
ESPALIER_INLINE Vec Load(const float* p) { return {*p}; }
ESPALIER_INLINE Vec LoadN(const float* p, size_t n) { return {n == 0 ? 0.0f : *p}; }
ESPALIER_INLINE void Store(float* p, Vec x) { *p = x.v; }
ESPALIER_INLINE void StoreN(float* p, Vec x, size_t n) {
  if (n != 0) *p = x.v;
}
ESPALIER_INLINE Vec KeepN(Vec x, size_t n) { return {n == 0 ? 0.0f : x.v}; }
// The first n lanes of yes, the others of no.
ESPALIER_INLINE Vec SelectN(size_t n, Vec yes, Vec no) { return n == 0 ? no : yes; }

ESPALIER_INLINE Vec Add(Vec a, Vec b) { return {a.v + b.v}; }
ESPALIER_INLINE Vec Sub(Vec a, Vec b) { return {a.v - b.v}; }
ESPALIER_INLINE Vec Mul(Vec a, Vec b) { return {a.v * b.v}; }
ESPALIER_INLINE Vec Div(Vec a, Vec b) { return {a.v / b.v}; }
#if defined(__FP_FAST_FMAF)
ESPALIER_INLINE Vec Fma(Vec a, Vec b, Vec c) { return {__builtin_fmaf(a.v, b.v, c.v)}; }
ESPALIER_INLINE Vec Fnma(Vec a, Vec b, Vec c) { return {__builtin_fmaf(-a.v, b.v, c.v)}; }
#else
ESPALIER_INLINE Vec Fma(Vec a, Vec b, Vec c) { return {a.v * b.v + c.v}; }
ESPALIER_INLINE Vec Fnma(Vec a, Vec b, Vec c) { return {c.v - a.v * b.v}; }
#endif
ESPALIER_INLINE Vec Min(Vec limit, Vec x) { return {limit.v < x.v ? limit.v : x.v}; }
ESPALIER_INLINE Vec Max(Vec limit, Vec x) { return {limit.v > x.v ? limit.v : x.v}; }
ESPALIER_INLINE Vec Sqrt(Vec x) { return {__builtin_sqrtf(x.v)}; }
ESPALIER_INLINE Vec Abs(Vec x) { return {__builtin_fabsf(x.v)}; }
ESPALIER_INLINE Vec Neg(Vec x) { return {-x.v}; }
ESPALIER_INLINE Vec CopySign(Vec magnitude, Vec sign) { return {__builtin_copysignf(magnitude.v, sign.v)}; }
ESPALIER_INLINE Vec Floor(Vec x) { return {__builtin_floorf(x.v)}; }
ESPALIER_INLINE Vec Ceil(Vec x) { return {__builtin_ceilf(x.v)}; }
ESPALIER_INLINE Vec RoundEven(Vec x) { return {__builtin_nearbyintf(x.v)}; }

ESPALIER_INLINE Mask Less(Vec a, Vec b) { return {a.v < b.v}; }
ESPALIER_INLINE Mask Equal(Vec a, Vec b) { return {a.v == b.v}; }
ESPALIER_INLINE Mask IsNaN(Vec x) { return {x.v != x.v}; }
ESPALIER_INLINE Vec Select(Mask m, Vec yes, Vec no) { return {m.m ? yes.v : no.v}; }

template <int k>
ESPALIER_INLINE Vec SwapLanes(Vec x) {
  return x;
}

ESPALIER_INLINE float FloatOfBits(uint32_t bits) {
  float x;
  __builtin_memcpy(&x, &bits, sizeof(x));
  return x;
}

ESPALIER_INLINE Vec LoadHalf(const uint16_t* p) {
  const uint32_t sign = static_cast<uint32_t>(*p & 0x8000u) << 16;
  const uint32_t magnitude = *p & 0x7fffu;
  if (magnitude < 0x0400u) {  // subnormal or zero: a whole number of 2^-24
    const float value = static_cast<float>(magnitude) * 0x1p-24f;
    return {sign != 0 ? -value : value};
  }
  uint32_t bits = (magnitude << 13) + (112u << 23);  // 112: what the biases differ by
  if (magnitude >= 0x7c00u) bits += 112u << 23;      // the highest exponent stays the highest
  if (magnitude > 0x7c00u) bits |= 0x00400000u;      // a NaN becomes quiet, as everywhere
  return {FloatOfBits(sign | bits)};
}

struct Quad {
  float v[4];
};
ESPALIER_INLINE Quad LoadQuad(const float* p) { return {{p[0], p[1], p[2], p[3]}}; }
ESPALIER_INLINE Quad LoadQuad(const uint16_t* p) {
  return {{LoadHalf(p).v, LoadHalf(p + 1).v, LoadHalf(p + 2).v, LoadHalf(p + 3).v}};
}
template <typename Value>
ESPALIER_INLINE auto SeeQuad(const Value* p) {
  return LoadQuad(p);
}
template <int i>
ESPALIER_INLINE Vec LaneOf(const Quad& quad) {
  return {quad.v[i]};
}

ESPALIER_INLINE Vec ScaleByPow2(Vec x, Vec n) {
  if (n.v != n.v) return n;  // NaN has no integer
  // In two factors, so that neither leaves the range of normal numbers.
  const int32_t exponent = static_cast<int32_t>(n.v);
  const int32_t half = exponent / 2;
  const uint32_t low = static_cast<uint32_t>(half + 127) << 23;
  const uint32_t high = static_cast<uint32_t>(exponent - half + 127) << 23;
  return {x.v * FloatOfBits(low) * FloatOfBits(high)};
}

ESPALIER_INLINE void SplitExponent(Vec x, Vec* m, Vec* e) {
  uint32_t bits;
  __builtin_memcpy(&bits, &x.v, sizeof(bits));
  const int32_t exponent = static_cast<int32_t>(bits - 0x3f3504f3u) >> 23;  // 0x3f3504f3: sqrt(1/2)
  m->v = FloatOfBits(bits - (static_cast<uint32_t>(exponent) << 23));
  e->v = static_cast<float>(exponent);
}

// No block of rows is shorter than one lane: declared for the templates that name it, never called.
template <int kRepeat>
Vec Spread(const float* x, const uint16_t* columns);

ESPALIER_INLINE void Unzip(Vec low, Vec high, Vec* apart) {
  apart[0] = low;
  apart[1] = high;
}
ESPALIER_INLINE void LoadApart(const float* p, Vec* x) {
  for (int j = 0; j < 4; ++j) x[j] = {p[j]};
}
ESPALIER_INLINE void StoreTogether(float* p, const Vec* x) {
  for (int j = 0; j < 4; ++j) p[j] = x[j].v;
}

ESPALIER_INLINE Vec Collect(const float* x, const uint8_t* columns) { return {x[columns[0]]}; }
ESPALIER_INLINE float SparseDot(const float* values, const uint32_t* columns, size_t count, const float* x) {
  float sums[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    ESPALIER_UNROLL
    for (size_t c = 0; c < 4; ++c) sums[c] += values[i + c] * x[columns[i + c]];
  }
  for (; i < count; ++i) sums[0] += values[i] * x[columns[i]];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

struct TileRow {
  float v;
};
constexpr size_t kTile = 1;

ESPALIER_INLINE TileRow LoadTileRow(const float* p) { return {*p}; }
ESPALIER_INLINE TileRow LoadTileRowN(const float* p, size_t n) { return {n == 0 ? 0.0f : *p}; }
ESPALIER_INLINE void StoreTileRow(float* p, TileRow row) { *p = row.v; }
ESPALIER_INLINE void StoreTileRowN(float* p, TileRow row, size_t n) {
  if (n != 0) *p = row.v;
}
ESPALIER_INLINE void TurnTile(TileRow*) {}
ESPALIER_INLINE void LoadTurned(const float* x, size_t, TileRow* rows) { rows[0] = LoadTileRow(x); }
