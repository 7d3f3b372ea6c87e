// Sums and maxima over shifted rows: depthwise convolution, average and max pooling.

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
