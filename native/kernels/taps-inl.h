// Sums and maxima over shifted rows: depthwise convolution, average and max pooling. A sweep over the taps
// serves kVecs vectors of the width, so that a tap's pointer and weight are read once for all of them.

struct WeightedTapsRow {
  const float* const* taps;  // [tap_count] rows of `width` floats
  const float* weights;      // [tap_count]
  size_t tap_count;
  float* out;
  float bias;
  const float* residual;  // as out, or null
  float lo;
  float hi;

  // Vectors at t; only `last` lanes of the final one exist.
  template <int kVecs>
  ESPALIER_INLINE void Run(size_t t, size_t last) const {
    const bool partial = last != kLanes;
    Vec sums[kVecs];
    ESPALIER_UNROLL
    for (int v = 0; v < kVecs; ++v) sums[v] = Set1(bias);
    for (size_t k = 0; k < tap_count; ++k) {
      const float* x = taps[k] + t;
      const Vec weight = Set1(weights[k]);
      ESPALIER_UNROLL
      for (int v = 0; v < kVecs; ++v) {
        const float* p = x + v * kLanes;
        sums[v] = Fma(weight, v == kVecs - 1 && partial ? LoadN(p, last) : Load(p), sums[v]);
      }
    }
    ESPALIER_UNROLL
    for (int v = 0; v < kVecs; ++v) {
      const size_t at = t + v * kLanes;
      const size_t n = v == kVecs - 1 ? last : kLanes;
      if (residual != nullptr) sums[v] = Add(sums[v], LoadN(residual + at, n));
      StoreN(out + at, Min(Set1(hi), Max(Set1(lo), sums[v])), n);
    }
  }
};

struct MaxTapsRow {
  const float* const* taps;  // [tap_count] rows of `width` floats
  size_t tap_count;
  float* out;

  template <int kVecs>
  ESPALIER_INLINE void Run(size_t t, size_t last) const {
    const bool partial = last != kLanes;
    Vec best[kVecs];
    ESPALIER_UNROLL
    for (int v = 0; v < kVecs; ++v) best[v] = Set1(-kInfinity);
    for (size_t k = 0; k < tap_count; ++k) {
      const float* x = taps[k] + t;
      ESPALIER_UNROLL
      for (int v = 0; v < kVecs; ++v) {
        const float* p = x + v * kLanes;
        best[v] = MaxOfData(best[v], v == kVecs - 1 && partial ? LoadN(p, last) : Load(p));
      }
    }
    ESPALIER_UNROLL
    for (int v = 0; v < kVecs; ++v) StoreN(out + t + v * kLanes, best[v], v == kVecs - 1 ? last : kLanes);
  }
};

template <typename Row>
ESPALIER_INLINE void SweepTaps(const Row& row, size_t width) {
  size_t t = 0;
  for (; t + 4 * kLanes <= width; t += 4 * kLanes) row.template Run<4>(t, kLanes);
  if (t == width) return;
  const size_t vecs = (width - t + kLanes - 1) / kLanes;
  const size_t last = width - t - (vecs - 1) * kLanes;
  switch (vecs) {
    case 1:
      return row.template Run<1>(t, last);
    case 2:
      return row.template Run<2>(t, last);
    case 3:
      return row.template Run<3>(t, last);
    default:
      return row.template Run<4>(t, last);
  }
}

void weighted_taps(const float* const* taps, const float* weights, size_t tap_count, size_t width, float* out,
                   float bias, const float* residual, float lo, float hi) noexcept {
  SweepTaps(WeightedTapsRow{taps, weights, tap_count, out, bias, residual, lo, hi}, width);
}

void max_taps(const float* const* taps, size_t tap_count, size_t width, float* out) noexcept {
  SweepTaps(MaxTapsRow{taps, tap_count, out}, width);
}
