// The Vec vocabulary (see vec_scalar.h) on NEON, which every ARM64 CPU has: 4 lanes.

struct Vec {
  float32x4_t v;
};
struct Mask {
  uint32x4_t m;  // all bits of a lane, or none
};

constexpr size_t kLanes = 4;
constexpr int kRegisters = 32;

ESPALIER_INLINE uint32x4_t MaskOf4(size_t n) {
  const uint32x4_t lanes = {0, 1, 2, 3};
  return vcltq_u32(lanes, vdupq_n_u32(static_cast<uint32_t>(n)));
}

// NEON has no masked loads and stores: two branches.
ESPALIER_INLINE float32x4_t LoadUpTo4(const float* p, size_t n) {
  if (n >= 4) return vld1q_f32(p);
  float32x2_t low = vdup_n_f32(0.0f);
  float32x2_t high = low;
  if (n & 2) {
    low = vld1_f32(p);
    if (n & 1) high = vld1_lane_f32(p + 2, high, 0);
  } else if (n & 1) {
    low = vld1_lane_f32(p, low, 0);
  }
  return vcombine_f32(low, high);
}

ESPALIER_INLINE void StoreUpTo4(float* p, float32x4_t x, size_t n) {
  if (n >= 4) return vst1q_f32(p, x);
  float32x2_t rest = vget_low_f32(x);
  if (n & 2) {
    vst1_f32(p, rest);
    rest = vget_high_f32(x);
    p += 2;
  }
  if (n & 1) vst1_lane_f32(p, rest, 0);
}

ESPALIER_INLINE Vec Zero() { return {vdupq_n_f32(0.0f)}; }
ESPALIER_INLINE Vec Set1(float x) { return {vdupq_n_f32(x)}; }
ESPALIER_INLINE Vec Load(const float* p) { return {vld1q_f32(p)}; }
ESPALIER_INLINE Vec LoadN(const float* p, size_t n) { return {LoadUpTo4(p, n)}; }
ESPALIER_INLINE Vec LoadHalf(const uint16_t* p) { return {vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)))}; }

// Four weights. A multiply-add names a lane of one operand, so that broadcasting one is no instruction.
struct Quad {
  float32x4_t v;
};
ESPALIER_INLINE Quad LoadQuad(const float* p) { return {vld1q_f32(p)}; }
ESPALIER_INLINE Quad LoadQuad(const uint16_t* p) { return {LoadHalf(p).v}; }
template <typename Value>
ESPALIER_INLINE auto SeeQuad(const Value* p) {
  return LoadQuad(p);
}
template <int i>
ESPALIER_INLINE Vec LaneOf(Quad quad) {
  return {vdupq_laneq_f32(quad.v, i)};
}

ESPALIER_INLINE void Store(float* p, Vec x) { vst1q_f32(p, x.v); }
ESPALIER_INLINE void StoreN(float* p, Vec x, size_t n) { StoreUpTo4(p, x.v, n); }
ESPALIER_INLINE Vec SelectN(size_t n, Vec yes, Vec no) { return {vbslq_f32(MaskOf4(n), yes.v, no.v)}; }
ESPALIER_INLINE Vec KeepN(Vec x, size_t n) { return SelectN(n, x, Zero()); }

ESPALIER_INLINE Vec Add(Vec a, Vec b) { return {vaddq_f32(a.v, b.v)}; }
ESPALIER_INLINE Vec Sub(Vec a, Vec b) { return {vsubq_f32(a.v, b.v)}; }
ESPALIER_INLINE Vec Mul(Vec a, Vec b) { return {vmulq_f32(a.v, b.v)}; }
ESPALIER_INLINE Vec Div(Vec a, Vec b) { return {vdivq_f32(a.v, b.v)}; }
ESPALIER_INLINE Vec Fma(Vec a, Vec b, Vec c) { return {vfmaq_f32(c.v, a.v, b.v)}; }
ESPALIER_INLINE Vec Fnma(Vec a, Vec b, Vec c) { return {vfmsq_f32(c.v, a.v, b.v)}; }
// Not fmin and fmax, which return NaN when either operand is one, nor fminnm and fmaxnm, which drop it: a
// comparison that NaN fails selects x, as on x86.
ESPALIER_INLINE Vec Min(Vec limit, Vec x) { return {vbslq_f32(vcltq_f32(limit.v, x.v), limit.v, x.v)}; }
ESPALIER_INLINE Vec Max(Vec limit, Vec x) { return {vbslq_f32(vcgtq_f32(limit.v, x.v), limit.v, x.v)}; }
ESPALIER_INLINE Vec Sqrt(Vec x) { return {vsqrtq_f32(x.v)}; }
ESPALIER_INLINE Vec Abs(Vec x) { return {vabsq_f32(x.v)}; }
ESPALIER_INLINE Vec Neg(Vec x) { return {vnegq_f32(x.v)}; }
ESPALIER_INLINE Vec CopySign(Vec magnitude, Vec sign) {
  return {vbslq_f32(vdupq_n_u32(0x80000000u), sign.v, magnitude.v)};
}
ESPALIER_INLINE Vec Floor(Vec x) { return {vrndmq_f32(x.v)}; }
ESPALIER_INLINE Vec Ceil(Vec x) { return {vrndpq_f32(x.v)}; }
ESPALIER_INLINE Vec RoundEven(Vec x) { return {vrndnq_f32(x.v)}; }

ESPALIER_INLINE Mask Less(Vec a, Vec b) { return {vcltq_f32(a.v, b.v)}; }
ESPALIER_INLINE Mask Equal(Vec a, Vec b) { return {vceqq_f32(a.v, b.v)}; }
ESPALIER_INLINE Mask IsNaN(Vec x) { return {vmvnq_u32(vceqq_f32(x.v, x.v))}; }
ESPALIER_INLINE Vec Select(Mask m, Vec yes, Vec no) { return {vbslq_f32(m.m, yes.v, no.v)}; }

template <int k>
ESPALIER_INLINE Vec SwapLanes(Vec x) {
  static_assert(k == 1 || k == 2);
  if constexpr (k == 2) return {vextq_f32(x.v, x.v, 2)};
  return {vrev64q_f32(x.v)};
}

ESPALIER_INLINE Vec ScaleByPow2(Vec x, Vec n) {
  // In two factors, so that neither leaves the range of normal numbers.
  const int32x4_t bias = vdupq_n_s32(127);
  const int32x4_t exponent = vcvtnq_s32_f32(n.v);
  const int32x4_t half = vshrq_n_s32(exponent, 1);
  const int32x4_t rest = vsubq_s32(exponent, half);
  const float32x4_t low = vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(half, bias), 23));
  const float32x4_t high = vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(rest, bias), 23));
  return {vmulq_f32(vmulq_f32(x.v, low), high)};
}

ESPALIER_INLINE void SplitExponent(Vec x, Vec* m, Vec* e) {
  const int32x4_t bits = vreinterpretq_s32_f32(x.v);
  const int32x4_t exponent = vshrq_n_s32(vsubq_s32(bits, vdupq_n_s32(0x3f3504f3)), 23);  // sqrt(1/2)
  m->v = vreinterpretq_f32_s32(vsubq_s32(bits, vshlq_n_s32(exponent, 23)));
  e->v = vcvtq_f32_s32(exponent);
}

template <int kRepeat, typename Column>
ESPALIER_INLINE Vec Spread(const float* x, const Column* columns) {
  static_assert(kRepeat == 4);
  return Set1(x[columns[0]]);
}

// NEON has no gather: four values of x are joined from scalar loads.
template <typename Column>
ESPALIER_INLINE float32x4_t CollectFour(const float* x, const Column* columns) {
  const float32x2_t low = {x[columns[0]], x[columns[1]]};
  const float32x2_t high = {x[columns[2]], x[columns[3]]};
  return vcombine_f32(low, high);
}

ESPALIER_INLINE Vec Collect(const float* x, const uint8_t* columns) { return {CollectFour(x, columns)}; }

// sum of values[i] * x[columns[i]] for i < count.
ESPALIER_INLINE float SparseDot(const float* values, const uint32_t* columns, size_t count, const float* x) {
  float32x4_t sums[2] = {vdupq_n_f32(0.0f), vdupq_n_f32(0.0f)};
  size_t i = 0;
  ESPALIER_MCA_LOOP("sparse dot");
  for (; i + 8 <= count; i += 8) {
    sums[0] = vfmaq_f32(sums[0], CollectFour(x, columns + i), vld1q_f32(values + i));
    sums[1] = vfmaq_f32(sums[1], CollectFour(x, columns + i + 4), vld1q_f32(values + i + 4));
  }
  if (i + 4 <= count) {
    sums[0] = vfmaq_f32(sums[0], CollectFour(x, columns + i), vld1q_f32(values + i));
    i += 4;
  }
  float total = vaddvq_f32(vaddq_f32(sums[0], sums[1]));
  for (; i < count; ++i) total += values[i] * x[columns[i]];
  return total;
}

struct TileRow {
  float32x4_t v;
};
constexpr size_t kTile = 4;

ESPALIER_INLINE TileRow LoadTileRow(const float* p) { return {vld1q_f32(p)}; }
ESPALIER_INLINE TileRow LoadTileRowN(const float* p, size_t n) { return {LoadUpTo4(p, n)}; }
ESPALIER_INLINE void StoreTileRow(float* p, TileRow row) { vst1q_f32(p, row.v); }
ESPALIER_INLINE void StoreTileRowN(float* p, TileRow row, size_t n) { StoreUpTo4(p, row.v, n); }
ESPALIER_INLINE void TurnTile(TileRow* rows) {
  // 2 x 2 tiles of floats, then of pairs.
  const float64x2_t even01 = vreinterpretq_f64_f32(vtrn1q_f32(rows[0].v, rows[1].v));
  const float64x2_t odd01 = vreinterpretq_f64_f32(vtrn2q_f32(rows[0].v, rows[1].v));
  const float64x2_t even23 = vreinterpretq_f64_f32(vtrn1q_f32(rows[2].v, rows[3].v));
  const float64x2_t odd23 = vreinterpretq_f64_f32(vtrn2q_f32(rows[2].v, rows[3].v));
  rows[0].v = vreinterpretq_f32_f64(vtrn1q_f64(even01, even23));
  rows[1].v = vreinterpretq_f32_f64(vtrn1q_f64(odd01, odd23));
  rows[2].v = vreinterpretq_f32_f64(vtrn2q_f64(even01, even23));
  rows[3].v = vreinterpretq_f32_f64(vtrn2q_f64(odd01, odd23));
}
ESPALIER_INLINE void LoadTurned(const float* x, size_t x_stride, TileRow* rows) {
  ESPALIER_UNROLL
  for (size_t i = 0; i < kTile; ++i) rows[i] = LoadTileRow(x + i * x_stride);
  TurnTile(rows);
}

ESPALIER_INLINE void Unzip(Vec low, Vec high, Vec* apart) {
  apart[0].v = vuzp1q_f32(low.v, high.v);
  apart[1].v = vuzp2q_f32(low.v, high.v);
}

ESPALIER_INLINE void LoadApart(const float* p, Vec* x) {
  const float32x4x4_t apart = vld4q_f32(p);
  for (int j = 0; j < 4; ++j) x[j].v = apart.val[j];
}
ESPALIER_INLINE void StoreTogether(float* p, const Vec* x) {
  vst4q_f32(p, float32x4x4_t{{x[0].v, x[1].v, x[2].v, x[3].v}});
}
