// A depthwise window over planes whose rows are short: lanes are channels instead of columns.

// kPixels outputs of one row, from column c on, whose windows meet the plane in the same taps; one vector of
// the channels, from `lane` on.
template <int kPixels>
ESPALIER_INLINE void LanePixels(const LaneWindow& w, const TapRange& row, size_t c, size_t lane, float* y) {
  const TapRange& column = w.columns[c];
  const size_t taps = column.end - column.first;
  const size_t pixel_step = kPixels == 1 ? 0 : (w.columns[c + 1].start - column.start) * kLaneChannels;
  const size_t tap_step = w.dilation_w * kLaneChannels;
  const float* weights = w.weights + (row.first * w.kernel_w + column.first) * kLaneChannels + lane;
  const float* x = w.x + (row.start * w.width + column.start) * kLaneChannels + lane;
  Vec sums[kPixels];
  ESPALIER_UNROLL
  for (int p = 0; p < kPixels; ++p) sums[p] = Load(w.bias + lane);
  for (size_t kh = row.first; kh < row.end; ++kh) {
    for (size_t i = 0; i < taps; ++i) {
      const Vec weight = Load(weights + i * kLaneChannels);
      ESPALIER_UNROLL
      for (int p = 0; p < kPixels; ++p) {
        sums[p] = Fma(weight, Load(x + i * tap_step + static_cast<size_t>(p) * pixel_step), sums[p]);
      }
    }
    weights += w.kernel_w * kLaneChannels;
    x += w.dilation_h * w.width * kLaneChannels;
  }
  ESPALIER_UNROLL
  for (int p = 0; p < kPixels; ++p) {
    Store(y + static_cast<size_t>(p) * kLaneChannels + lane, Min(Set1(w.hi), Max(Set1(w.lo), sums[p])));
  }
}

void window_lanes(const LaneWindow& w, float* y) noexcept {
  constexpr size_t kPixels = 4;
  // From one output of a row to the next, fewer taps lie before the plane and more behind it.
  const auto meet_the_same_taps = [&](size_t a, size_t b) {
    return w.columns[a].first == w.columns[b].first && w.columns[a].end == w.columns[b].end;
  };
  for (size_t r = 0; r < w.out_rows; ++r) {
    for (size_t c = 0; c < w.out_cols;) {
      const bool several = c + kPixels <= w.out_cols && meet_the_same_taps(c, c + kPixels - 1);
      float* const out = y + (r * w.out_cols + c) * kLaneChannels;
      for (size_t lane = 0; lane < kLaneChannels; lane += kLanes) {
        if (several) {
          LanePixels<kPixels>(w, w.rows[r], c, lane, out);
        } else {
          LanePixels<1>(w, w.rows[r], c, lane, out);
        }
      }
      c += several ? kPixels : 1;
    }
  }
}
