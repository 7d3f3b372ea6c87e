// Rows copied with their padding, and split by columns: what the windows of convolution and pooling slide
// over.

ESPALIER_INLINE void FillSpan(float* to, size_t n, float value) {
  const Vec v = Set1(value);
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) Store(to + i, v);
  if (i < n) StoreN(to + i, v, n - i);
}

ESPALIER_INLINE void CopySpan(const float* from, float* to, size_t n) {
  if (n < kLanes) return StoreN(to, LoadN(from, n), n);
  for (size_t i = 0; i + kLanes <= n; i += kLanes) Store(to + i, Load(from + i));
  Store(to + n - kLanes, Load(from + n - kLanes));  // again some of what was there: no partial vectors
}

// even[i] = from[2 i], odd[i] = from[2 i + 1] for i < n; from has at least `width` <= 2 n floats.
ESPALIER_INLINE void UnzipSpan(const float* from, size_t width, float* even, float* odd, size_t n) {
  for (size_t i = 0; i < n; i += kLanes) {
    const size_t left = width - 2 * i;
    const size_t count = n - i < kLanes ? n - i : kLanes;
    const Vec low = left >= kLanes ? Load(from + 2 * i) : LoadN(from + 2 * i, left);
    const Vec high = left >= 2 * kLanes ? Load(from + 2 * i + kLanes)
                     : left > kLanes    ? LoadN(from + 2 * i + kLanes, left - kLanes)
                                        : Zero();
    Vec apart[2];
    Unzip(low, high, apart);
    StoreN(even + i, apart[0], count);
    StoreN(odd + i, apart[1], count);
  }
}

// One row, with its columns in two phases.
ESPALIER_INLINE void CopyRowInPairs(const RowCopy& c, const float* from, float* to) {
  float* const phases[2] = {to, to + c.phase_stride};
  // Column 2 j lies at place even_at + j of its phase, column 2 j + 1 at odd_at + j of the other.
  const size_t even_phase = c.pad_left % 2;
  const size_t even_at = c.pad_left / 2;
  const size_t odd_at = (c.pad_left + 1) / 2;
  const auto room = [&](size_t at, size_t columns) {
    const size_t free = c.phase_floats > at ? c.phase_floats - at : 0;
    return columns < free ? columns : free;
  };
  const size_t evens = room(even_at, (c.width + 1) / 2);
  const size_t odds = room(odd_at, c.width / 2);
  const size_t both = evens < odds ? evens : odds;
  float* const even = phases[even_phase] + even_at;
  float* const odd = phases[1 - even_phase] + odd_at;
  UnzipSpan(from, 2 * both, even, odd, both);
  for (size_t j = both; j < evens; ++j) even[j] = from[2 * j];
  for (size_t j = both; j < odds; ++j) odd[j] = from[2 * j + 1];
  const auto pad = [&](size_t phase, size_t at, size_t columns) {
    FillSpan(phases[phase], at < c.phase_floats ? at : c.phase_floats, c.padding);
    const size_t end = at + columns;
    if (end < c.phase_floats) FillSpan(phases[phase] + end, c.phase_floats - end, c.padding);
  };
  pad(even_phase, even_at, evens);
  pad(1 - even_phase, odd_at, odds);
}

ESPALIER_INLINE void CopyRowInPhases(const RowCopy& c, const float* from, float* to) {
  for (size_t phase = 0; phase < c.phases; ++phase, to += c.phase_stride) {
    size_t column = phase;  // with the padding before the row counted
    for (size_t i = 0; i < c.phase_floats; ++i, column += c.phases) {
      const bool inside = column >= c.pad_left && column - c.pad_left < c.width;
      to[i] = inside ? from[column - c.pad_left] : c.padding;
    }
  }
}

void copy_rows(const RowCopy& c) noexcept {
  const float* from = c.from;
  float* to = c.to;
  const size_t before = c.pad_left < c.phase_floats ? c.pad_left : c.phase_floats;
  const size_t inside = c.width < c.phase_floats - before ? c.width : c.phase_floats - before;
  const size_t after = c.phase_floats - before - inside;
  for (size_t r = 0; r < c.rows; ++r, from += c.from_stride, to += c.row_stride) {
    if (c.phases == 1) {
      FillSpan(to, before, c.padding);
      CopySpan(from, to + before, inside);
      FillSpan(to + before + inside, after, c.padding);
    } else if (c.phases == 2) {
      CopyRowInPairs(c, from, to);
    } else {
      CopyRowInPhases(c, from, to);
    }
  }
}
