// What the x86 instruction sets share, in registers of 128 and 256 bits. Included before their vec_*.h.

ESPALIER_INLINE __m256i MaskOf8(size_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)),
                            _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

ESPALIER_INLINE void StoreUpTo8(float* p, __m256 x, size_t n) {
  // Masked stores are microcoded on AMD; three branches are not.
  if (n >= 8) return _mm256_storeu_ps(p, x);
  __m128 rest = _mm256_castps256_ps128(x);
  if (n & 4) {
    _mm_storeu_ps(p, rest);
    rest = _mm256_extractf128_ps(x, 1);
    p += 4;
  }
  if (n & 2) {
    _mm_storel_pi(reinterpret_cast<__m64*>(p), rest);
    rest = _mm_movehl_ps(rest, rest);
    p += 2;
  }
  if (n & 1) _mm_store_ss(p, rest);
}

// Transpose tiles. With AVX-512 too: its 16 x 16 tiles ran at 60 % of the speed of these on a Zen 4 core.
struct TileRow {
  __m256 v;
};
constexpr size_t kTile = 8;

ESPALIER_INLINE TileRow LoadTileRow(const float* p) { return {_mm256_loadu_ps(p)}; }
ESPALIER_INLINE TileRow LoadTileRowN(const float* p, size_t n) { return {_mm256_maskload_ps(p, MaskOf8(n))}; }
ESPALIER_INLINE void StoreTileRow(float* p, TileRow row) { _mm256_storeu_ps(p, row.v); }
ESPALIER_INLINE void StoreTileRowN(float* p, TileRow row, size_t n) { StoreUpTo8(p, row.v, n); }
// The transpose of the tile at x. Halves of rows are put together as they are loaded, which leaves two
// shuffles of each output row: the shuffle unit is what a transpose waits for.
ESPALIER_INLINE void LoadTurned(const float* x, size_t x_stride, TileRow* rows) {
  ESPALIER_UNROLL
  for (size_t half = 0; half < 8; half += 4) {
    __m256 r[4];
    ESPALIER_UNROLL
    for (size_t i = 0; i < 4; ++i) {
      const float* p = x + i * x_stride + half;
      r[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)), _mm_loadu_ps(p + 4 * x_stride), 1);
    }
    const __m256 low01 = _mm256_unpacklo_ps(r[0], r[1]);
    const __m256 high01 = _mm256_unpackhi_ps(r[0], r[1]);
    const __m256 low23 = _mm256_unpacklo_ps(r[2], r[3]);
    const __m256 high23 = _mm256_unpackhi_ps(r[2], r[3]);
    rows[half].v = _mm256_shuffle_ps(low01, low23, 0x44);
    rows[half + 1].v = _mm256_shuffle_ps(low01, low23, 0xee);
    rows[half + 2].v = _mm256_shuffle_ps(high01, high23, 0x44);
    rows[half + 3].v = _mm256_shuffle_ps(high01, high23, 0xee);
  }
}

ESPALIER_INLINE void TurnTile(TileRow* rows) {
  __m256 t[8];
  __m256 u[8];
  ESPALIER_UNROLL
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_ps(rows[i].v, rows[i + 1].v);
    t[i + 1] = _mm256_unpackhi_ps(rows[i].v, rows[i + 1].v);
  }
  ESPALIER_UNROLL
  for (int i = 0; i < 8; i += 4) {
    u[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
    u[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
    u[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    u[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
  }
  ESPALIER_UNROLL
  for (int i = 0; i < 4; ++i) {
    rows[i].v = _mm256_permute2f128_ps(u[i], u[i + 4], 0x20);
    rows[i + 4].v = _mm256_permute2f128_ps(u[i], u[i + 4], 0x31);
  }
}

// The sparse dot product: x is collected four values at a time by inserts, which on a Zen 4 core is nearly
// twice as fast as the gather instructions (and those are slower still where microcode mends Downfall).

template <typename Column>
ESPALIER_INLINE __m128 CollectFour(const float* x, const Column* columns) {
  __m128 v = _mm_load_ss(x + columns[0]);
  v = _mm_insert_ps(v, _mm_load_ss(x + columns[1]), 0x10);
  v = _mm_insert_ps(v, _mm_load_ss(x + columns[2]), 0x20);
  return _mm_insert_ps(v, _mm_load_ss(x + columns[3]), 0x30);
}

// sum of values[i] * x[columns[i]] for i < count.
ESPALIER_INLINE float SparseDot(const float* values, const uint32_t* columns, size_t count, const float* x) {
  __m128 sums[2] = {_mm_setzero_ps(), _mm_setzero_ps()};
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    sums[0] = _mm_fmadd_ps(CollectFour(x, columns + i), _mm_loadu_ps(values + i), sums[0]);
    sums[1] = _mm_fmadd_ps(CollectFour(x, columns + i + 4), _mm_loadu_ps(values + i + 4), sums[1]);
  }
  if (i + 4 <= count) {
    sums[0] = _mm_fmadd_ps(CollectFour(x, columns + i), _mm_loadu_ps(values + i), sums[0]);
    i += 4;
  }
  __m128 sum = _mm_add_ps(sums[0], sums[1]);
  sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
  float total = _mm_cvtss_f32(_mm_add_ss(sum, _mm_movehdup_ps(sum)));
  for (; i < count; ++i) total += values[i] * x[columns[i]];
  return total;
}
