// The Vec vocabulary (see vec_scalar.h) on AVX-512 F, BW, DQ and VL: 16 lanes.

struct Vec {
  __m512 v;
};
struct Mask {
  __mmask16 m;
};

constexpr size_t kLanes = 16;
constexpr int kRegisters = 32;

ESPALIER_INLINE __mmask16 LaneMask(size_t n) { return static_cast<__mmask16>((1u << n) - 1u); }

ESPALIER_INLINE Vec Zero() { return {_mm512_setzero_ps()}; }
ESPALIER_INLINE Vec Set1(float x) { return {_mm512_set1_ps(x)}; }
ESPALIER_INLINE Vec Load(const float* p) { return {_mm512_loadu_ps(p)}; }
ESPALIER_INLINE Vec LoadN(const float* p, size_t n) { return {_mm512_maskz_loadu_ps(LaneMask(n), p)}; }
ESPALIER_INLINE Vec LoadHalf(const uint16_t* p) {
  return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}

// Four weights, each to be broadcast: by permutations, since the load ports are what the kernels are short
// of.
struct Quad {
  __m512 v;
};
ESPALIER_INLINE Quad LoadQuad(const float* p) { return {_mm512_castps128_ps512(_mm_loadu_ps(p))}; }
ESPALIER_INLINE Quad LoadQuad(const uint16_t* p) {
  return {_mm512_castps128_ps512(_mm_cvtph_ps(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))))};
}
// The same from memory, where loads are free: permutations take turns with multiply-adds.
struct MemoryQuad {
  const float* p;
};
ESPALIER_INLINE MemoryQuad SeeQuad(const float* p) { return {p}; }
ESPALIER_INLINE Quad SeeQuad(const uint16_t* p) { return LoadQuad(p); }
template <int i>
ESPALIER_INLINE Vec LaneOf(MemoryQuad quad) {
  return Set1(quad.p[i]);
}
template <int i>
ESPALIER_INLINE Vec LaneOf(Quad quad) {
  if constexpr (i == 0) return {_mm512_broadcastss_ps(_mm512_castps512_ps128(quad.v))};
  return {_mm512_permutexvar_ps(_mm512_set1_epi32(i), quad.v)};
}
ESPALIER_INLINE void Store(float* p, Vec x) { _mm512_storeu_ps(p, x.v); }
ESPALIER_INLINE void StoreN(float* p, Vec x, size_t n) { _mm512_mask_storeu_ps(p, LaneMask(n), x.v); }
ESPALIER_INLINE Vec KeepN(Vec x, size_t n) { return {_mm512_maskz_mov_ps(LaneMask(n), x.v)}; }
ESPALIER_INLINE Vec SelectN(size_t n, Vec yes, Vec no) {
  return {_mm512_mask_blend_ps(LaneMask(n), no.v, yes.v)};
}

ESPALIER_INLINE Vec Add(Vec a, Vec b) { return {_mm512_add_ps(a.v, b.v)}; }
ESPALIER_INLINE Vec Sub(Vec a, Vec b) { return {_mm512_sub_ps(a.v, b.v)}; }
ESPALIER_INLINE Vec Mul(Vec a, Vec b) { return {_mm512_mul_ps(a.v, b.v)}; }
ESPALIER_INLINE Vec Div(Vec a, Vec b) { return {_mm512_div_ps(a.v, b.v)}; }
ESPALIER_INLINE Vec Fma(Vec a, Vec b, Vec c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
ESPALIER_INLINE Vec Fnma(Vec a, Vec b, Vec c) { return {_mm512_fnmadd_ps(a.v, b.v, c.v)}; }
// x86 min and max return their second operand when either is NaN.
ESPALIER_INLINE Vec Min(Vec limit, Vec x) { return {_mm512_min_ps(limit.v, x.v)}; }
ESPALIER_INLINE Vec Max(Vec limit, Vec x) { return {_mm512_max_ps(limit.v, x.v)}; }
ESPALIER_INLINE Vec Sqrt(Vec x) { return {_mm512_sqrt_ps(x.v)}; }
ESPALIER_INLINE Vec Abs(Vec x) { return {_mm512_andnot_ps(_mm512_set1_ps(-0.0f), x.v)}; }
ESPALIER_INLINE Vec Neg(Vec x) { return {_mm512_xor_ps(_mm512_set1_ps(-0.0f), x.v)}; }
ESPALIER_INLINE Vec CopySign(Vec magnitude, Vec sign) {
  const __m512 bit = _mm512_set1_ps(-0.0f);
  return {_mm512_or_ps(_mm512_andnot_ps(bit, magnitude.v), _mm512_and_ps(bit, sign.v))};
}
ESPALIER_INLINE Vec Floor(Vec x) {
  return {_mm512_roundscale_ps(x.v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)};
}
ESPALIER_INLINE Vec Ceil(Vec x) {
  return {_mm512_roundscale_ps(x.v, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC)};
}
ESPALIER_INLINE Vec RoundEven(Vec x) {
  return {_mm512_roundscale_ps(x.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}

ESPALIER_INLINE Mask Less(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }
ESPALIER_INLINE Mask Equal(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ)}; }
ESPALIER_INLINE Mask IsNaN(Vec x) { return {_mm512_cmp_ps_mask(x.v, x.v, _CMP_UNORD_Q)}; }
ESPALIER_INLINE Vec Select(Mask m, Vec yes, Vec no) { return {_mm512_mask_blend_ps(m.m, no.v, yes.v)}; }

template <int k>
ESPALIER_INLINE Vec SwapLanes(Vec x) {
  static_assert(k == 1 || k == 2 || k == 4 || k == 8);
  if constexpr (k >= 4) return {_mm512_shuffle_f32x4(x.v, x.v, k == 8 ? 0x4e : 0xb1)};
  return {_mm512_permute_ps(x.v, k == 2 ? 0x4e : 0xb1)};
}

ESPALIER_INLINE Vec ScaleByPow2(Vec x, Vec n) { return {_mm512_scalef_ps(x.v, n.v)}; }

ESPALIER_INLINE void SplitExponent(Vec x, Vec* m, Vec* e) {
  const __m512i bits = _mm512_castps_si512(x.v);
  const __m512i exponent = _mm512_srai_epi32(_mm512_sub_epi32(bits, _mm512_set1_epi32(0x3f3504f3)), 23);
  m->v = _mm512_castsi512_ps(_mm512_sub_epi32(bits, _mm512_slli_epi32(exponent, 23)));
  e->v = _mm512_cvtepi32_ps(exponent);
}

template <int kRepeat>
ESPALIER_INLINE Vec Spread(const float* x, const uint16_t* columns) {
  static_assert(kRepeat == 4 || kRepeat == 8);
  // Narrow broadcasts joined by inserts: a masked 512-bit broadcast for each value is slower. The columns
  // come with one load.
  if constexpr (kRepeat == 8) {
    uint32_t two;
    __builtin_memcpy(&two, columns, sizeof(two));
    const __m256 low = _mm256_broadcast_ss(x + (two & 0xffff));
    const __m256 high = _mm256_broadcast_ss(x + (two >> 16));
    return {_mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1)};
  }
  uint64_t four;
  __builtin_memcpy(&four, columns, sizeof(four));
  __m128 xs = _mm_load_ss(x + (four & 0xffff));
  xs = _mm_insert_ps(xs, _mm_load_ss(x + ((four >> 16) & 0xffff)), 0x10);
  xs = _mm_insert_ps(xs, _mm_load_ss(x + ((four >> 32) & 0xffff)), 0x20);
  xs = _mm_insert_ps(xs, _mm_load_ss(x + (four >> 48)), 0x30);
  const __m512i spread = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
  return {_mm512_permutexvar_ps(spread, _mm512_castps128_ps512(xs))};
}

ESPALIER_INLINE Vec FoldHalves(Vec a, Vec b) {
  return {_mm512_add_ps(_mm512_shuffle_f32x4(a.v, b.v, 0x44), _mm512_shuffle_f32x4(a.v, b.v, 0xee))};
}
ESPALIER_INLINE Vec FoldQuarters(Vec a, Vec b, Vec c, Vec d) {
  const __m512 low =
      FoldHalves(a, b).v;  // each a half of a quarter's sum: a0 + a2, a1 + a3, b0 + b2, b1 + b3
  const __m512 high = FoldHalves(c, d).v;
  return {_mm512_add_ps(_mm512_shuffle_f32x4(low, high, 0x88), _mm512_shuffle_f32x4(low, high, 0xdd))};
}

ESPALIER_INLINE Vec Collect(const float* x, const uint8_t* columns) {
  const __m512i index = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(columns)));
  return {_mm512_permutex2var_ps(_mm512_loadu_ps(x), index, _mm512_loadu_ps(x + 16))};
}

ESPALIER_INLINE void Unzip(Vec low, Vec high, Vec* apart) {
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  apart[0].v = _mm512_permutex2var_ps(low.v, even, high.v);
  apart[1].v = _mm512_permutex2var_ps(low.v, _mm512_add_epi32(even, _mm512_set1_epi32(1)), high.v);
}

ESPALIER_INLINE void LoadApart(const float* p, Vec* x) {
  const __m512i even = _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 1, 5, 9, 13, 17, 21, 25, 29);
  const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(2));
  const __m512 rows[4] = {_mm512_loadu_ps(p), _mm512_loadu_ps(p + 16), _mm512_loadu_ps(p + 32),
                          _mm512_loadu_ps(p + 48)};
  const __m512 low01 = _mm512_permutex2var_ps(rows[0], even, rows[1]);
  const __m512 high01 = _mm512_permutex2var_ps(rows[2], even, rows[3]);
  const __m512 low23 = _mm512_permutex2var_ps(rows[0], odd, rows[1]);
  const __m512 high23 = _mm512_permutex2var_ps(rows[2], odd, rows[3]);
  x[0].v = _mm512_shuffle_f32x4(low01, high01, 0x44);
  x[1].v = _mm512_shuffle_f32x4(low01, high01, 0xee);
  x[2].v = _mm512_shuffle_f32x4(low23, high23, 0x44);
  x[3].v = _mm512_shuffle_f32x4(low23, high23, 0xee);
}

ESPALIER_INLINE void StoreTogether(float* p, const Vec* x) {
  const __m512 low01 = _mm512_unpacklo_ps(x[0].v, x[1].v);
  const __m512 high01 = _mm512_unpackhi_ps(x[0].v, x[1].v);
  const __m512 low23 = _mm512_unpacklo_ps(x[2].v, x[3].v);
  const __m512 high23 = _mm512_unpackhi_ps(x[2].v, x[3].v);
  // Quarter q of tile[i]: what belongs to places 16 q + 4 i.
  const __m512 tile[4] = {_mm512_shuffle_ps(low01, low23, 0x44), _mm512_shuffle_ps(low01, low23, 0xee),
                          _mm512_shuffle_ps(high01, high23, 0x44), _mm512_shuffle_ps(high01, high23, 0xee)};
  const __m512 first01 = _mm512_shuffle_f32x4(tile[0], tile[1], 0x44);
  const __m512 last01 = _mm512_shuffle_f32x4(tile[0], tile[1], 0xee);
  const __m512 first23 = _mm512_shuffle_f32x4(tile[2], tile[3], 0x44);
  const __m512 last23 = _mm512_shuffle_f32x4(tile[2], tile[3], 0xee);
  _mm512_storeu_ps(p, _mm512_shuffle_f32x4(first01, first23, 0x88));
  _mm512_storeu_ps(p + 16, _mm512_shuffle_f32x4(first01, first23, 0xdd));
  _mm512_storeu_ps(p + 32, _mm512_shuffle_f32x4(last01, last23, 0x88));
  _mm512_storeu_ps(p + 48, _mm512_shuffle_f32x4(last01, last23, 0xdd));
}
