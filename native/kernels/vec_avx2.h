// The Vec vocabulary (see vec_scalar.h) on AVX2, FMA and F16C: 8 lanes. After x86-inl.h.

struct Vec {
  __m256 v;
};
struct Mask {
  __m256 m;  // all bits of a lane, or none
};

constexpr size_t kLanes = 8;
constexpr int kRegisters = 16;

ESPALIER_INLINE Vec Zero() { return {_mm256_setzero_ps()}; }
ESPALIER_INLINE Vec Set1(float x) { return {_mm256_set1_ps(x)}; }
ESPALIER_INLINE Vec Load(const float* p) { return {_mm256_loadu_ps(p)}; }
ESPALIER_INLINE Vec LoadN(const float* p, size_t n) { return {_mm256_maskload_ps(p, MaskOf8(n))}; }
ESPALIER_INLINE Vec LoadHalf(const uint16_t* p) {
  return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}

// Four weights, each to be broadcast: from memory, which leaves the few registers to the sums.
struct Quad {
  const float* p;
};
struct HalfQuad {
  __m128 v;
};
ESPALIER_INLINE Quad LoadQuad(const float* p) { return {p}; }
ESPALIER_INLINE HalfQuad LoadQuad(const uint16_t* p) {
  return {_mm_cvtph_ps(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)))};
}
template <typename Value>
ESPALIER_INLINE auto SeeQuad(const Value* p) {
  return LoadQuad(p);
}
template <int i>
ESPALIER_INLINE Vec LaneOf(Quad quad) {
  return {_mm256_broadcast_ss(quad.p + i)};
}
template <int i>
ESPALIER_INLINE Vec LaneOf(HalfQuad quad) {
  return {_mm256_broadcastss_ps(_mm_permute_ps(quad.v, i * 0x55))};
}
ESPALIER_INLINE void Store(float* p, Vec x) { _mm256_storeu_ps(p, x.v); }
ESPALIER_INLINE void StoreN(float* p, Vec x, size_t n) { StoreUpTo8(p, x.v, n); }
ESPALIER_INLINE Vec KeepN(Vec x, size_t n) { return {_mm256_and_ps(x.v, _mm256_castsi256_ps(MaskOf8(n)))}; }
ESPALIER_INLINE Vec SelectN(size_t n, Vec yes, Vec no) {
  return {_mm256_blendv_ps(no.v, yes.v, _mm256_castsi256_ps(MaskOf8(n)))};
}

ESPALIER_INLINE Vec Add(Vec a, Vec b) { return {_mm256_add_ps(a.v, b.v)}; }
ESPALIER_INLINE Vec Sub(Vec a, Vec b) { return {_mm256_sub_ps(a.v, b.v)}; }
ESPALIER_INLINE Vec Mul(Vec a, Vec b) { return {_mm256_mul_ps(a.v, b.v)}; }
ESPALIER_INLINE Vec Div(Vec a, Vec b) { return {_mm256_div_ps(a.v, b.v)}; }
ESPALIER_INLINE Vec Fma(Vec a, Vec b, Vec c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
ESPALIER_INLINE Vec Fnma(Vec a, Vec b, Vec c) { return {_mm256_fnmadd_ps(a.v, b.v, c.v)}; }
// x86 min and max return their second operand when either is NaN.
ESPALIER_INLINE Vec Min(Vec limit, Vec x) { return {_mm256_min_ps(limit.v, x.v)}; }
ESPALIER_INLINE Vec Max(Vec limit, Vec x) { return {_mm256_max_ps(limit.v, x.v)}; }
ESPALIER_INLINE Vec Sqrt(Vec x) { return {_mm256_sqrt_ps(x.v)}; }
ESPALIER_INLINE Vec Abs(Vec x) { return {_mm256_andnot_ps(_mm256_set1_ps(-0.0f), x.v)}; }
ESPALIER_INLINE Vec Neg(Vec x) { return {_mm256_xor_ps(_mm256_set1_ps(-0.0f), x.v)}; }
ESPALIER_INLINE Vec CopySign(Vec magnitude, Vec sign) {
  const __m256 bit = _mm256_set1_ps(-0.0f);
  return {_mm256_or_ps(_mm256_andnot_ps(bit, magnitude.v), _mm256_and_ps(bit, sign.v))};
}
ESPALIER_INLINE Vec Floor(Vec x) { return {_mm256_floor_ps(x.v)}; }
ESPALIER_INLINE Vec Ceil(Vec x) { return {_mm256_ceil_ps(x.v)}; }
ESPALIER_INLINE Vec RoundEven(Vec x) {
  return {_mm256_round_ps(x.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}

ESPALIER_INLINE Mask Less(Vec a, Vec b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ)}; }
ESPALIER_INLINE Mask Equal(Vec a, Vec b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_EQ_OQ)}; }
ESPALIER_INLINE Mask IsNaN(Vec x) { return {_mm256_cmp_ps(x.v, x.v, _CMP_UNORD_Q)}; }
ESPALIER_INLINE Vec Select(Mask m, Vec yes, Vec no) { return {_mm256_blendv_ps(no.v, yes.v, m.m)}; }

template <int k>
ESPALIER_INLINE Vec SwapLanes(Vec x) {
  static_assert(k == 1 || k == 2 || k == 4);
  if constexpr (k == 4) return {_mm256_permute2f128_ps(x.v, x.v, 0x01)};
  return {_mm256_permute_ps(x.v, k == 2 ? 0x4e : 0xb1)};
}

ESPALIER_INLINE Vec ScaleByPow2(Vec x, Vec n) {
  // In two factors, so that neither leaves the range of normal numbers.
  const __m256i bias = _mm256_set1_epi32(127);
  const __m256i exponent = _mm256_cvtps_epi32(n.v);
  const __m256i half = _mm256_srai_epi32(exponent, 1);
  const __m256i rest = _mm256_sub_epi32(exponent, half);
  const __m256 low = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23));
  const __m256 high = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23));
  return {_mm256_mul_ps(_mm256_mul_ps(x.v, low), high)};
}

ESPALIER_INLINE void SplitExponent(Vec x, Vec* m, Vec* e) {
  const __m256i bits = _mm256_castps_si256(x.v);
  const __m256i exponent = _mm256_srai_epi32(_mm256_sub_epi32(bits, _mm256_set1_epi32(0x3f3504f3)), 23);
  m->v = _mm256_castsi256_ps(_mm256_sub_epi32(bits, _mm256_slli_epi32(exponent, 23)));
  e->v = _mm256_cvtepi32_ps(exponent);
}

template <int kRepeat>
ESPALIER_INLINE Vec Spread(const float* x, const uint16_t* columns) {
  static_assert(kRepeat == 4);
  return {_mm256_insertf128_ps(_mm256_castps128_ps256(_mm_broadcast_ss(x + columns[0])),
                               _mm_broadcast_ss(x + columns[1]), 1)};
}

ESPALIER_INLINE Vec FoldHalves(Vec a, Vec b) {
  return {_mm256_add_ps(_mm256_permute2f128_ps(a.v, b.v, 0x20), _mm256_permute2f128_ps(a.v, b.v, 0x31))};
}

ESPALIER_INLINE Vec Collect(const float* x, const uint8_t* columns) {
  return {
      _mm256_insertf128_ps(_mm256_castps128_ps256(CollectFour(x, columns)), CollectFour(x, columns + 4), 1)};
}

// The transpose of two 4 x 4 squares, one in each half.
ESPALIER_INLINE void TurnQuarters(const __m256* rows, __m256* turned) {
  const __m256 low01 = _mm256_unpacklo_ps(rows[0], rows[1]);
  const __m256 high01 = _mm256_unpackhi_ps(rows[0], rows[1]);
  const __m256 low23 = _mm256_unpacklo_ps(rows[2], rows[3]);
  const __m256 high23 = _mm256_unpackhi_ps(rows[2], rows[3]);
  turned[0] = _mm256_shuffle_ps(low01, low23, 0x44);
  turned[1] = _mm256_shuffle_ps(low01, low23, 0xee);
  turned[2] = _mm256_shuffle_ps(high01, high23, 0x44);
  turned[3] = _mm256_shuffle_ps(high01, high23, 0xee);
}

ESPALIER_INLINE void Unzip(Vec low, Vec high, Vec* apart) {
  const __m256 first = _mm256_permute2f128_ps(low.v, high.v, 0x20);
  const __m256 second = _mm256_permute2f128_ps(low.v, high.v, 0x31);
  apart[0].v = _mm256_shuffle_ps(first, second, 0x88);
  apart[1].v = _mm256_shuffle_ps(first, second, 0xdd);
}

ESPALIER_INLINE void LoadApart(const float* p, Vec* x) {
  const __m256 loaded[4] = {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8), _mm256_loadu_ps(p + 16),
                            _mm256_loadu_ps(p + 24)};
  const __m256 rows[4] = {
      _mm256_permute2f128_ps(loaded[0], loaded[2], 0x20), _mm256_permute2f128_ps(loaded[0], loaded[2], 0x31),
      _mm256_permute2f128_ps(loaded[1], loaded[3], 0x20), _mm256_permute2f128_ps(loaded[1], loaded[3], 0x31)};
  __m256 turned[4];
  TurnQuarters(rows, turned);
  for (int j = 0; j < 4; ++j) x[j].v = turned[j];
}

ESPALIER_INLINE void StoreTogether(float* p, const Vec* x) {
  const __m256 rows[4] = {x[0].v, x[1].v, x[2].v, x[3].v};
  __m256 turned[4];
  TurnQuarters(rows, turned);
  _mm256_storeu_ps(p, _mm256_permute2f128_ps(turned[0], turned[1], 0x20));
  _mm256_storeu_ps(p + 8, _mm256_permute2f128_ps(turned[2], turned[3], 0x20));
  _mm256_storeu_ps(p + 16, _mm256_permute2f128_ps(turned[0], turned[1], 0x31));
  _mm256_storeu_ps(p + 24, _mm256_permute2f128_ps(turned[2], turned[3], 0x31));
}
