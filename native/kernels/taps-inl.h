// Rows copied with their padding, and sums and maxima over shifted rows: depthwise convolution, average and
// max pooling.

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

// kRows output rows together: an input row is loaded once for all the output rows that see it. kKernelH and
// kKernelW are the window's size, or 0 when it is known at run time only (then kRows is 1).
template <int kRows, int kKernelH, int kKernelW, int kStrideH>
struct WindowTile {
  const WindowRows* window;
  const float* rows;
  float* out;
  size_t out_stride;
  const float* residual;  // as out, or null

  // Vectors at column t; only `last` lanes of the final one exist.
  template <int kVecs>
  ESPALIER_INLINE void Run(size_t t, size_t last) const {
    Vec sums[kRows][kVecs];
    ESPALIER_UNROLL
    for (int r = 0; r < kRows; ++r) {
      ESPALIER_UNROLL
      for (int v = 0; v < kVecs; ++v) sums[r][v] = Set1(window->bias);
    }
    if constexpr (kKernelH == 0) {
      SumAnySize<kVecs>(t, last, sums[0]);
    } else {
      SumFixedSize<kVecs>(t, last, sums);
    }
    ESPALIER_UNROLL
    for (int r = 0; r < kRows; ++r) {
      ESPALIER_UNROLL
      for (int v = 0; v < kVecs; ++v) {
        const size_t at = t + v * kLanes;
        const size_t n = v == kVecs - 1 ? last : kLanes;
        Vec y = sums[r][v];
        if (residual != nullptr) y = Add(y, LoadN(residual + r * window->residual_stride + at, n));
        StoreN(out + r * out_stride + at, Min(Set1(window->hi), Max(Set1(window->lo), y)), n);
      }
    }
  }

  template <int kVecs>
  ESPALIER_INLINE void LoadTap(const float* x, size_t last, Vec* xs) const {
    const bool partial = last != kLanes;
    ESPALIER_UNROLL
    for (int v = 0; v < kVecs; ++v) {
      const float* p = x + v * kLanes;
      xs[v] = v == kVecs - 1 && partial ? LoadN(p, last) : Load(p);
    }
  }

  template <int kVecs>
  ESPALIER_INLINE void SumFixedSize(size_t t, size_t last, Vec (*sums)[kVecs]) const {
    ESPALIER_UNROLL
    for (int input = 0; input < (kRows - 1) * kStrideH + kKernelH; ++input) {
      const float* row = rows + input * window->row_stride + t;
      ESPALIER_UNROLL
      for (int kw = 0; kw < kKernelW; ++kw) {
        Vec xs[kVecs];
        LoadTap<kVecs>(row + window->columns[kw], last, xs);
        ESPALIER_UNROLL
        for (int r = 0; r < kRows; ++r) {
          const int kh = input - r * kStrideH;
          if (kh < 0 || kh >= kKernelH) continue;
          const Vec weight = Set1(window->weights[kh * kKernelW + kw]);
          ESPALIER_UNROLL
          for (int v = 0; v < kVecs; ++v) sums[r][v] = Fma(weight, xs[v], sums[r][v]);
        }
      }
    }
  }

  template <int kVecs>
  ESPALIER_INLINE void SumAnySize(size_t t, size_t last, Vec* sums) const {
    for (size_t kh = 0; kh < window->kernel_h; ++kh) {
      const float* row = rows + kh * window->dilation_h * window->row_stride + t;
      for (size_t kw = 0; kw < window->kernel_w; ++kw) {
        Vec xs[kVecs];
        LoadTap<kVecs>(row + window->columns[kw], last, xs);
        const Vec weight = Set1(window->weights[kh * window->kernel_w + kw]);
        ESPALIER_UNROLL
        for (int v = 0; v < kVecs; ++v) sums[v] = Fma(weight, xs[v], sums[v]);
      }
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

// As many vectors at a time as kMaxVecs, then the rest.
template <int kMaxVecs, typename Row>
ESPALIER_INLINE void SweepTaps(const Row& row, size_t width) {
  size_t t = 0;
  for (; t + kMaxVecs * kLanes <= width; t += kMaxVecs * kLanes) row.template Run<kMaxVecs>(t, kLanes);
  if (t == width) return;
  const size_t vecs = (width - t + kLanes - 1) / kLanes;
  const size_t last = width - t - (vecs - 1) * kLanes;
  switch (vecs) {
    case 1:
      return row.template Run<1>(t, last);
    case 2:
      if constexpr (kMaxVecs >= 2) return row.template Run<2>(t, last);
      break;
    case 3:
      if constexpr (kMaxVecs >= 3) return row.template Run<3>(t, last);
      break;
    default:
      if constexpr (kMaxVecs >= 4) return row.template Run<4>(t, last);
  }
}

template <int kRows, int kKernelH, int kKernelW, int kStrideH>
void WindowStrip(const WindowRows& window, size_t width, float* out, size_t out_stride) {
  // Sums, inputs and a weight have to fit the registers.
  constexpr int kMaxVecs = kRows >= 4 ? 2 : 4;
  const auto run = [&](size_t row) {
    const size_t first = row * window.stride_h * window.row_stride;
    const float* residual =
        window.residual == nullptr ? nullptr : window.residual + row * window.residual_stride;
    SweepTaps<kMaxVecs>(
        WindowTile<kRows, kKernelH, kKernelW, kStrideH>{&window, window.rows + first, out + row * out_stride,
                                                        out_stride, residual},
        width);
  };
  size_t row = 0;
  for (; row + kRows <= window.out_rows; row += kRows) run(row);
  if constexpr (kRows > 1) {
    if (row == window.out_rows) return;
    // Rows by themselves wait for one multiply-add after another: some of the rows before are computed again.
    // Not where a residual may lie in the output.
    if (row > 0 && window.residual == nullptr) return run(window.out_rows - kRows);
    WindowRows rest = window;
    rest.rows += row * window.stride_h * window.row_stride;
    rest.out_rows -= row;
    if (rest.residual != nullptr) rest.residual += row * window.residual_stride;
    WindowStrip<1, kKernelH, kKernelW, kStrideH>(rest, width, out + row * out_stride, out_stride);
  }
}

void window_sum(const WindowRows& window, size_t width, float* out, size_t out_stride) noexcept {
  const bool plain = window.dilation_h == 1 && window.kernel_h == window.kernel_w;
  if (plain && window.kernel_h == 3 && window.stride_h == 1)
    return WindowStrip<4, 3, 3, 1>(window, width, out, out_stride);
  if (plain && window.kernel_h == 3 && window.stride_h == 2)
    return WindowStrip<2, 3, 3, 2>(window, width, out, out_stride);
  if (plain && window.kernel_h == 5 && window.stride_h == 1)
    return WindowStrip<4, 5, 5, 1>(window, width, out, out_stride);
  if (plain && window.kernel_h == 5 && window.stride_h == 2)
    return WindowStrip<2, 5, 5, 2>(window, width, out, out_stride);
  WindowStrip<1, 0, 0, 1>(window, width, out, out_stride);
}

void max_taps(const float* const* taps, size_t tap_count, size_t width, float* out) noexcept {
  SweepTaps<4>(MaxTapsRow{taps, tap_count, out}, width);
}
