#include <cmath>
#include <memory>
#include <vector>

#include "kernel_test.h"
#include "matmul_case.h"
#include "test_buffers.h"

namespace espalier {
namespace {

ESPALIER_KERNEL_SUITE(Taps);

constexpr size_t kTapCounts[] = {0, 1, 2, 9, 25};

// `count` rows of `width` floats, each at the edge of its own page.
struct TapRows {
  TapRows(size_t count, size_t width) {
    for (size_t k = 0; k < count; ++k) {
      rows.push_back(std::make_unique<EdgeBuffer<float>>(RandomValues(width, static_cast<uint32_t>(20 + k))));
      pointers.push_back(rows.back()->data());
    }
  }
  std::vector<std::unique_ptr<EdgeBuffer<float>>> rows;
  std::vector<const float*> pointers;
};

// Rows of every kind of width, phases and padding, between pages that may not be touched.
ESPALIER_KERNEL_TEST(Taps, copy_rows, PadsAndSplitsColumns) {
  for (const size_t width : {1, 2, 7, 14, 16, 31, 33, 64, 112}) {
    for (const size_t phases : {1, 2, 3}) {
      for (const size_t pad : {0, 1, 2, 5}) {
        for (const size_t phase_floats : {1, 3, 8, 17, 40, 70}) {
          constexpr size_t kRows = 3;
          const size_t stride = width + 2;
          const EdgeBuffer<float> from(RandomValues((kRows - 1) * stride + width, 3));
          EdgeBuffer<float> to(std::vector<float>(kRows * phases * phase_floats, -7.0f));
          kernels().copy_rows({from.data(), stride, width, kRows, to.data(), phases * phase_floats, phases,
                               phase_floats, phase_floats, pad, 0.5f});
          for (size_t r = 0; r < kRows; ++r) {
            for (size_t at = 0; at < phases * phase_floats; ++at) {
              const size_t column = at % phase_floats * phases + at / phase_floats;
              const bool inside = column >= pad && column - pad < width;
              ASSERT_EQ(to.data()[r * phases * phase_floats + at],
                        inside ? from.data()[r * stride + column - pad] : 0.5f)
                  << "width " << width << ", phases " << phases << ", pad " << pad << ", at " << at;
            }
          }
        }
      }
    }
  }
}

struct WindowCase {
  size_t kernel_h, kernel_w, stride_h, dilation_h;
};

constexpr WindowCase kWindows[] = {{3, 3, 1, 1}, {3, 3, 2, 1}, {5, 5, 1, 1}, {5, 5, 2, 1}, {1, 1, 1, 1},
                                   {2, 3, 1, 1}, {3, 3, 1, 2}, {3, 3, 3, 1}, {7, 7, 1, 1}, {5, 5, 1, 3}};

// One window over `out_rows` rows of `width` columns, with tap columns 0, 1, 2..., against the definition.
void CheckWindow(const KernelTable& kernels, const WindowCase& size, size_t out_rows, size_t width,
                 bool all) {
  const size_t row_stride = width + size.kernel_w + 2;
  const size_t input_rows = (out_rows - 1) * size.stride_h + (size.kernel_h - 1) * size.dilation_h + 1;
  // The last tap of the last row ends where the readable memory does.
  const size_t readable = (input_rows - 1) * row_stride + size.kernel_w - 1 + width;
  const EdgeBuffer<float> rows(RandomValues(readable, 21));
  const EdgeBuffer<float> weights(RandomValues(size.kernel_h * size.kernel_w, 15));
  const EdgeBuffer<float> residual(RandomValues(out_rows * width, 16));
  std::vector<size_t> columns(size.kernel_w);
  for (size_t kw = 0; kw < size.kernel_w; ++kw) columns[kw] = kw;
  const float lo = all ? -0.5f : -kNoLimit;
  const float hi = all ? 0.5f : kNoLimit;
  const float bias = all ? 0.25f : 0.0f;
  const WindowRows window{rows.data(),
                          row_stride,
                          out_rows,
                          size.kernel_h,
                          size.kernel_w,
                          size.stride_h,
                          size.dilation_h,
                          columns.data(),
                          weights.data(),
                          bias,
                          all ? residual.data() : nullptr,
                          width,
                          lo,
                          hi};
  const size_t out_stride = width + 3;
  GuardedOutput out(out_rows * out_stride);
  kernels.window_sum(window, width, out.data(), out_stride);
  out.ExpectGuardsIntact();
  for (size_t r = 0; r < out_rows; ++r) {
    for (size_t i = 0; i < width; ++i) {
      Expected expected;
      expected.AddTerm(bias);
      for (size_t kh = 0; kh < size.kernel_h; ++kh) {
        for (size_t kw = 0; kw < size.kernel_w; ++kw) {
          const size_t at = (r * size.stride_h + kh * size.dilation_h) * row_stride + kw + i;
          expected.AddTerm(static_cast<double>(weights.data()[kh * size.kernel_w + kw]) * rows.data()[at]);
        }
      }
      if (all) expected.AddTerm(residual.data()[r * width + i]);
      expected.Clamp(lo, hi);
      ASSERT_NEAR(out[r * out_stride + i], expected.value, expected.Tolerance())
          << r << ", " << i << " of " << out_rows << " x " << width;
    }
    for (size_t i = width; i < out_stride; ++i) ASSERT_FALSE(out.IsWritten(r * out_stride + i));
  }
}

ESPALIER_KERNEL_TEST(Taps, window_sum, EveryWindow) {
  for (const WindowCase& size : kWindows) {
    for (const size_t out_rows : {1, 2, 3, 4, 5, 9}) {
      for (const size_t width : {1, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 64, 65, 130}) {
        for (const bool all : {false, true}) CheckWindow(kernels(), size, out_rows, width, all);
      }
    }
  }
}

// The taps of a window of `kernel` taps at output i that meet a row of `size`, one by one.
TapRange Meet(size_t i, size_t size, size_t kernel, size_t stride, size_t dilation, size_t pad) {
  TapRange range{kernel, kernel, 0};
  for (size_t k = kernel; k-- > 0;) {
    const size_t at = i * stride + k * dilation;
    if (at < pad || at >= size + pad) continue;
    if (range.first == kernel) range.end = k + 1;
    range.first = k;
    range.start = at - pad;
  }
  return range;
}

struct LaneCase {
  size_t height, width, kernel_h, kernel_w, stride, dilation, pad;
};

constexpr LaneCase kLaneCases[] = {{1, 1, 1, 1, 1, 1, 0}, {3, 3, 5, 5, 1, 1, 2},  {7, 7, 3, 3, 1, 1, 1},
                                   {7, 9, 3, 3, 2, 1, 1}, {9, 14, 2, 5, 1, 2, 3}, {4, 20, 1, 4, 3, 1, 0},
                                   {2, 3, 3, 3, 1, 4, 4}, {5, 5, 5, 5, 5, 1, 7}};

ESPALIER_KERNEL_TEST(Taps, window_lanes, EveryWindow) {
  for (const LaneCase& size : kLaneCases) {
    const auto outputs = [&](size_t length, size_t kernel) {
      return (length + 2 * size.pad - (kernel - 1) * size.dilation - 1) / size.stride + 1;
    };
    const size_t out_rows = outputs(size.height, size.kernel_h);
    const size_t out_cols = outputs(size.width, size.kernel_w);
    std::vector<TapRange> rows, columns;
    for (size_t r = 0; r < out_rows; ++r)
      rows.push_back(Meet(r, size.height, size.kernel_h, size.stride, size.dilation, size.pad));
    for (size_t c = 0; c < out_cols; ++c)
      columns.push_back(Meet(c, size.width, size.kernel_w, size.stride, size.dilation, size.pad));
    const EdgeBuffer<float> x(RandomValues(size.height * size.width * kLaneChannels, 31));
    const EdgeBuffer<float> weights(RandomValues(size.kernel_h * size.kernel_w * kLaneChannels, 32));
    const EdgeBuffer<float> bias(RandomValues(kLaneChannels, 33));
    for (const float limit : {0.5f, kNoLimit}) {
      GuardedOutput out(out_rows * out_cols * kLaneChannels);
      kernels().window_lanes(
          {x.data(), size.width, rows.data(), columns.data(), out_rows, out_cols, weights.data(),
           size.kernel_w, size.dilation, size.dilation, bias.data(), -limit, limit},
          out.data());
      out.ExpectGuardsIntact();
      for (size_t i = 0; i < out_rows * out_cols * kLaneChannels; ++i) {
        const size_t lane = i % kLaneChannels;
        const TapRange& row = rows[i / kLaneChannels / out_cols];
        const TapRange& column = columns[i / kLaneChannels % out_cols];
        Expected expected;
        expected.AddTerm(bias.data()[lane]);
        for (size_t kh = row.first; kh < row.end; ++kh) {
          for (size_t kw = column.first; kw < column.end; ++kw) {
            const size_t at_row = row.start + (kh - row.first) * size.dilation;
            const size_t at_col = column.start + (kw - column.first) * size.dilation;
            expected.AddTerm(
                static_cast<double>(weights.data()[(kh * size.kernel_w + kw) * kLaneChannels + lane]) *
                x.data()[(at_row * size.width + at_col) * kLaneChannels + lane]);
          }
        }
        expected.Clamp(-limit, limit);
        ASSERT_NEAR(out[i], expected.value, expected.Tolerance()) << i << " of width " << size.width;
      }
    }
  }
}

ESPALIER_KERNEL_TEST(Taps, max_taps, EveryWidth) {
  for (const size_t count : kTapCounts) {
    for (size_t width = 0; width <= 140; ++width) {
      const TapRows taps(count, width);
      GuardedOutput out(width);
      kernels().max_taps(taps.pointers.data(), count, width, out.data());
      out.ExpectGuardsIntact();
      for (size_t i = 0; i < width; ++i) {
        float expected = -kNoLimit;
        for (size_t k = 0; k < count; ++k) expected = std::fmax(expected, taps.pointers[k][i]);
        ASSERT_EQ(out[i], expected) << i << " of " << width << ", " << count << " taps";
      }
    }
  }
}

ESPALIER_KERNEL_TEST(Taps, max_taps, NaNPropagates) {
  const std::vector<float> clean(20, 1.0f);
  std::vector<float> dirty(20, 2.0f);
  dirty[4] = std::nanf("");
  for (const bool first : {true, false}) {
    const float* taps[] = {first ? dirty.data() : clean.data(), first ? clean.data() : dirty.data()};
    GuardedOutput out(20);
    kernels().max_taps(taps, 2, 20, out.data());
    for (size_t i = 0; i < 20; ++i) EXPECT_TRUE(i == 4 ? std::isnan(out[i]) : out[i] == 2.0f) << i;
  }
}

}  // namespace
}  // namespace espalier
