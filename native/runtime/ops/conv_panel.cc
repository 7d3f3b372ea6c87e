#include "runtime/ops/conv_panel.h"

#include <algorithm>
#include <cstring>

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

constexpr size_t Ceil(size_t a, size_t b) { return (a + b - 1) / b; }

// Output pixels that a shared tile may have, and floats of its images: both stay in the second-level cache.
constexpr size_t kMostColumns = 384;
constexpr size_t kTileFloats = 128 * 1024;

}  // namespace

ConvPanel::ConvPanel(const KernelTable& kernels, const WindowGeometry& geometry, std::vector<size_t> channels,
                     const PackedWeights& weights, size_t threads)
    : kernels_(kernels),
      geometry_(Flatten(geometry)),
      channels_(std::move(channels)),
      way_(FastestWay(geometry_, channels_.size(), weights)) {
  if (way_ == ConvWay::kShared) {
    PlanShared(threads);
    return;
  }
  PlanPixels(threads);
  if (way_ != ConvWay::kPlane) return;
  const size_t plane = geometry_.plane();
  for (const size_t channel : channels_) plane_rows_.push_back(static_cast<uint32_t>(channel * plane));
  if (plane_rows_ == PanelRows(channels_.size(), plane)) plane_stride_ = plane;
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
  widest_ = tile_pixels_;
  rows_ = PanelRows(k, tile_pixels_);
}

void ConvPanel::PlanShared(size_t threads) {
  const WindowGeometry& g = geometry_;
  const size_t width = SharedWidth(g);
  const size_t images = channels_.size() * g.stride_h * g.stride_w;
  const size_t reach = SharedRows(g, 0);
  const size_t fitting = kTileFloats / std::max<size_t>(images * width, 1);  // rows
  size_t most = std::min(kMostColumns / std::max<size_t>(width, 1), fitting > reach ? fitting - reach : 0);
  if (threads > 1) most = std::min(most, g.out_height / (threads * 2));
  most = std::clamp<size_t>(most, 1, g.out_height);
  // Fewer tiles copy fewer rows twice; whole vectors leave fewer lanes empty.
  double best = 0;
  for (size_t rows = 1; rows <= most; ++rows) {
    const size_t tiles = Ceil(g.out_height, rows);
    const auto columns = static_cast<double>(tiles * RoundUp((rows - 1) * width + g.out_width, kVector));
    const auto copied = static_cast<double>(tiles * SharedRows(g, rows) * width);
    const double cost = columns + copied / static_cast<double>(g.taps());
    if (rows > 1 && cost > best) continue;
    best = cost;
    tile_rows_ = rows;
  }
  tiles_ = Ceil(g.out_height, tile_rows_);
  image_rows_ = SharedRows(g, tile_rows_);
  lines_ = ColumnLines{width, g.out_width};
  widest_ = (tile_rows_ - 1) * width + g.out_width;
  const size_t image_floats = image_rows_ * width;
  scratch_floats_ = images * image_floats + kPanelSlack;
  for (size_t channel = 0; channel < channels_.size(); ++channel) {
    for (size_t kh = 0; kh < g.kernel_h; ++kh) {
      for (size_t kw = 0; kw < g.kernel_w; ++kw) {
        const size_t row = kh * g.dilation_h;
        const size_t column = kw * g.dilation_w;
        const size_t image = (channel * g.stride_h + row % g.stride_h) * g.stride_w + column % g.stride_w;
        rows_.push_back(
            static_cast<uint32_t>(image * image_floats + row / g.stride_h * width + column / g.stride_w));
      }
    }
  }
}

// Whether whole vectors of the tile lie inside the plane, so that it can be read in place.
bool ConvPanel::SeesPlane(size_t tile) const noexcept {
  return way_ == ConvWay::kPlane && (tile + 1) * tile_pixels_ <= geometry_.plane();
}

ConvPanel::Tile ConvPanel::Prepare(const float* x, size_t tile, float* scratch) const noexcept {
  const WindowGeometry& g = geometry_;
  if (way_ == ConvWay::kShared) {
    PackShared(x, tile, scratch);
    const size_t row = tile * tile_rows_;
    const size_t rows = std::min(tile_rows_, g.out_height - row);
    return Tile{Panel{scratch, rows_.data(), 0}, row * g.out_width, (rows - 1) * lines_.stride + g.out_width};
  }
  const size_t pixel = tile * tile_pixels_;
  const size_t width = std::min(tile_pixels_, g.out_plane() - pixel);
  if (SeesPlane(tile)) return Tile{Panel{x + pixel, plane_rows_.data(), plane_stride_}, pixel, width};
  PackPixels(x, tile, scratch);
  return Tile{Panel{scratch, rows_.data(), tile_pixels_}, pixel, width};
}

void ConvPanel::PackShared(const float* x, size_t tile, float* scratch) const noexcept {
  const WindowGeometry& g = geometry_;
  const size_t out_row = tile * tile_rows_;
  const size_t rows = SharedRows(g, std::min(tile_rows_, g.out_height - out_row));
  const size_t image_floats = image_rows_ * lines_.stride;
  for (const size_t channel : channels_) {
    for (size_t phase = 0; phase < g.stride_h; ++phase) {
      const RowCopy copy = {x + channel * g.plane(),
                            g.width,
                            g.width,
                            rows,
                            scratch,
                            lines_.stride,
                            g.stride_w,
                            image_floats,
                            lines_.stride,
                            g.pad_left,
                            0.0f};
      const ptrdiff_t first =
          static_cast<ptrdiff_t>(out_row * g.stride_h + phase) - static_cast<ptrdiff_t>(g.pad_top);
      CopyPaddedRows(kernels_, copy, first, g.stride_h, g.height);
      scratch += g.stride_w * image_floats;
    }
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
