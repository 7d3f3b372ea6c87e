// The sparse dot product on x86 with AVX: x is collected four values at a time by inserts, which on a Zen 4
// core is nearly twice as fast as the gather instructions (and those are slower still where microcode mends
// Downfall).

ESPALIER_INLINE __m128 CollectFour(const float* x, const uint32_t* columns) {
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
