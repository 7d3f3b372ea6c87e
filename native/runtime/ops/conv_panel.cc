#include "runtime/ops/conv_panel.h"

#include <algorithm>
#include <cstring>

#include "runtime/ops/product.h"
#include "runtime/ops/row_window.h"

namespace espalier {
namespace {

constexpr size_t kVector = 16;  // floats; the widest vector of any instruction set

// Copies short runs without the cost of a call.
inline void CopyRun(const float* from, float* to, size_t count) noexcept {
  constexpr size_t kChunk = 16;
  size_t i = 0;
  for (; i + kChunk <= count; i += kChunk) std::memcpy(to + i, from + i, kChunk * sizeof(float));
  for (; i + 4 <= count; i += 4) std::memcpy(to + i, from + i, 4 * sizeof(float));
  for (; i < count; ++i) to[i] = from[i];
}

// Output pixels [column, column + count) of one output row, which fill panel columns [panel_column, ...).
struct PixelRun {
  size_t row;
  size_t column;
  size_t count;
  size_t panel_column;
};

// What tap column kw sees for a run: `before` pixels of padding, `inside` input values from input column
// `input`, then padding again.
struct TapRun {
  size_t before;
  size_t inside;
  size_t input;
};

TapRun SeeThrough(const WindowGeometry& g, const PixelRun& run, size_t kw) noexcept {
  const auto stride = static_cast<ptrdiff_t>(g.stride_w);
  const ptrdiff_t shift = static_cast<ptrdiff_t>(kw * g.dilation_w) - static_cast<ptrdiff_t>(g.pad_left);
  const auto begin = static_cast<ptrdiff_t>(run.column);
  const ptrdiff_t end = begin + static_cast<ptrdiff_t>(run.count);
  const ptrdiff_t past = static_cast<ptrdiff_t>(g.width) - shift;
  const ptrdiff_t first = std::clamp(shift < 0 ? (-shift + stride - 1) / stride : 0, begin, end);
  const ptrdiff_t last = std::clamp(past > 0 ? (past + stride - 1) / stride : 0, first, end);
  return TapRun{static_cast<size_t>(first - begin), static_cast<size_t>(last - first),
                last > first ? static_cast<size_t>(first * stride + shift) : 0};
}

// Writes a run of output pixels to the panel [channels * taps, panel_stride], for every channel and tap.
// x: [channels, height, width].
void PackRun(const WindowGeometry& g, const float* x, const std::vector<size_t>& channels,
             const PixelRun& run, float* panel, size_t panel_stride) noexcept {
  for (size_t kh = 0; kh < g.kernel_h; ++kh) {
    const ptrdiff_t iy =
        static_cast<ptrdiff_t>(run.row * g.stride_h + kh * g.dilation_h) - static_cast<ptrdiff_t>(g.pad_top);
    const bool outside = iy < 0 || iy >= static_cast<ptrdiff_t>(g.height);
    for (size_t kw = 0; kw < g.kernel_w; ++kw) {
      const TapRun tap = outside ? TapRun{run.count, 0, 0} : SeeThrough(g, run, kw);
      const size_t after = run.count - tap.before - tap.inside;
      const float* first = outside ? x : x + static_cast<size_t>(iy) * g.width + tap.input;
      float* to = panel + (kh * g.kernel_w + kw) * panel_stride + run.panel_column;
      for (const size_t channel : channels) {
        const float* from = first + channel * g.plane();
        for (size_t i = 0; i < tap.before; ++i) to[i] = 0.0f;
        float* inside = to + tap.before;
        if (g.stride_w == 1) {
          CopyRun(from, inside, tap.inside);
        } else {
          for (size_t i = 0; i < tap.inside; ++i) inside[i] = from[i * g.stride_w];
        }
        for (size_t i = 0; i < after; ++i) inside[tap.inside + i] = 0.0f;
        to += g.taps() * panel_stride;
      }
    }
  }
}

// A plain 1x1 window sees a plane as one long row, so that runs of pixels do not end with the image's rows.
WindowGeometry Flatten(WindowGeometry g) {
  if (g.taps() == 1 && g.stride_h == 1 && g.stride_w == 1 && g.pad_top == 0 && g.pad_left == 0 &&
      g.plane() == g.out_plane()) {
    g.width = g.out_width = g.plane();
    g.height = g.out_height = 1;
  }
  return g;
}

bool IsPlainWindow(const WindowGeometry& g) {
  return g.taps() == 1 && g.height == 1 && g.out_height == 1 && g.width == g.out_width && g.stride_w == 1 &&
         g.pad_left == 0;
}

// Planes whose distance is a multiple of the page size all fall into the same few sets of the first-level
// cache.
bool PlanesCollide(size_t plane) { return plane % 1024 == 0; }

// Rows that end in the middle of a vector waste the rest of it.
bool RowsFillVectors(size_t width) { return (RoundUp(width, kVector) - width) * 12 <= width; }

}  // namespace

ConvPanel::ConvPanel(const KernelTable& kernels, const WindowGeometry& geometry, std::vector<size_t> channels,
                     size_t threads)
    : kernels_(kernels), geometry_(Flatten(geometry)), channels_(std::move(channels)) {
  const WindowGeometry& g = geometry_;
  if (IsPlainWindow(g) && !PlanesCollide(g.plane())) {
    way_ = Way::kPlane;
    PlanPixels(threads);
    for (const size_t channel : channels_) {
      plane_rows_.push_back(static_cast<uint32_t>(channel * g.plane()));
    }
    if (plane_rows_ == PanelRows(channels_.size(), g.plane())) plane_stride_ = g.plane();
  } else if (g.stride_w == 1 && g.kernel_w > 1 && RowsFillVectors(g.out_width)) {
    way_ = Way::kRows;
    PlanRows(threads);
  } else {
    way_ = Way::kPixels;
    PlanPixels(threads);
  }
}

void ConvPanel::PlanPixels(size_t threads) {
  const WindowGeometry& g = geometry_;
  const size_t k = channels_.size() * g.taps();
  tile_pixels_ = PanelWidth(k, g.out_plane());
  if (threads > 1) {  // narrower tiles, so that every thread has some
    tile_pixels_ = std::min(tile_pixels_, RoundUp((g.out_plane() + threads * 2 - 1) / (threads * 2), 48));
  }
  tile_pixels_ = std::min(tile_pixels_, RoundUp(std::max<size_t>(g.out_plane(), 1), kVector));
  tiles_ = (g.out_plane() + tile_pixels_ - 1) / tile_pixels_;
  scratch_floats_ = k * tile_pixels_ + kPanelSlack;
  rows_ = PanelRows(k, tile_pixels_);
}

void ConvPanel::PlanRows(size_t threads) {
  const WindowGeometry& g = geometry_;
  const size_t reach = (g.kernel_h - 1) * g.dilation_h;
  row_floats_ = RoundUp(g.out_width + (g.kernel_w - 1) * g.dilation_w, kVector);
  constexpr size_t kTileFloats = 64 * 1024;  // a quarter of a megabyte: stays in the second-level cache
  const size_t fitting = kTileFloats / std::max<size_t>(channels_.size() * row_floats_, 1);  // input rows
  tile_rows_ = fitting > reach ? (fitting - reach - 1) / g.stride_h + 1 : 1;
  tile_rows_ = std::min(tile_rows_, std::max<size_t>(g.out_height / (threads > 1 ? threads * 2 : 1), 1));
  tiles_ = (g.out_height + tile_rows_ - 1) / tile_rows_;
  input_rows_ = (tile_rows_ - 1) * g.stride_h + reach + 1;
  scratch_floats_ = channels_.size() * input_rows_ * row_floats_ + kPanelSlack;
  for (size_t channel = 0; channel < channels_.size(); ++channel) {
    for (size_t kh = 0; kh < g.kernel_h; ++kh) {
      for (size_t kw = 0; kw < g.kernel_w; ++kw) {
        const size_t row = channel * input_rows_ + kh * g.dilation_h;
        rows_.push_back(static_cast<uint32_t>(row * row_floats_ + kw * g.dilation_w));
      }
    }
  }
}

// Whether whole vectors of the tile lie inside the plane, so that it can be read in place.
bool ConvPanel::SeesPlane(size_t tile) const noexcept {
  return way_ == Way::kPlane && (tile + 1) * tile_pixels_ <= geometry_.plane();
}

size_t ConvPanel::Prepare(const float* x, size_t tile, float* scratch) const noexcept {
  if (way_ == Way::kRows) {
    PackRows(x, tile, scratch);
    return std::min(tile_rows_, geometry_.out_height - tile * tile_rows_);
  }
  if (!SeesPlane(tile)) PackPixels(x, tile, scratch);
  return 1;
}

ConvPanel::Run ConvPanel::RunOf(const float* x, size_t tile, size_t index,
                                const float* scratch) const noexcept {
  const WindowGeometry& g = geometry_;
  if (way_ == Way::kRows) {
    const Panel panel{scratch + index * g.stride_h * row_floats_, rows_.data(), 0};
    return Run{panel, (tile * tile_rows_ + index) * g.out_width, g.out_width};
  }
  const size_t pixel = tile * tile_pixels_;
  const size_t width = std::min(tile_pixels_, g.out_plane() - pixel);
  if (SeesPlane(tile)) return Run{Panel{x + pixel, plane_rows_.data(), plane_stride_}, pixel, width};
  return Run{Panel{scratch, rows_.data(), tile_pixels_}, pixel, width};
}

void ConvPanel::PackRows(const float* x, size_t tile, float* scratch) const noexcept {
  const WindowGeometry& g = geometry_;
  const size_t out_row = tile * tile_rows_;
  const size_t out_rows = std::min(tile_rows_, g.out_height - out_row);
  const size_t input_rows = (out_rows - 1) * g.stride_h + (g.kernel_h - 1) * g.dilation_h + 1;
  const ptrdiff_t first = static_cast<ptrdiff_t>(out_row * g.stride_h) - static_cast<ptrdiff_t>(g.pad_top);
  for (size_t index = 0; index < channels_.size(); ++index) {
    const float* plane = x + channels_[index] * g.plane();
    float* to = scratch + index * input_rows_ * row_floats_;
    CopyPaddedRows(kernels_, {plane, g.width, g.width, input_rows, to, 1, row_floats_, g.pad_left, 0.0f},
                   first, g.height);
  }
}

void ConvPanel::PackPixels(const float* x, size_t tile, float* scratch) const noexcept {
  const WindowGeometry& g = geometry_;
  const size_t pixel = tile * tile_pixels_;
  const size_t width = std::min(tile_pixels_, g.out_plane() - pixel);
  for (size_t done = 0; done < width;) {
    const size_t row = (pixel + done) / g.out_width;
    const size_t column = (pixel + done) % g.out_width;
    const size_t count = std::min(width - done, g.out_width - column);
    PackRun(g, x, channels_, PixelRun{row, column, count, done}, scratch, tile_pixels_);
    done += count;
  }
}

}  // namespace espalier
