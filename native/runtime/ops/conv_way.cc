#include "runtime/ops/conv_way.h"

namespace espalier {
namespace {

constexpr size_t kVector = 16;  // floats; the widest vector of any instruction set

// About how many cycles each way takes for an image: what the kernels multiply, and what is copied. Rates of
// a core that multiplies and adds 32 times a cycle; only their ratio matters. SELL jumps between rows, which
// takes it longer where these are irregular or pages apart.
constexpr double kMultiplyAdds = 32;
constexpr double kSellMultiplyAdds = 18;
constexpr double kSellApartMultiplyAdds = 11;
constexpr double kCopyShared = 0.15;  // a float
constexpr double kCopyPixels = 0.2;
constexpr double kCopyPixelsApart = 1.0;
constexpr double kFinish = 0.2;

// What one column of the panel takes.
double ColumnCycles(const PackedWeights& weights, double sell_rate) {
  const double rate = weights.format() == WeightFormat::kSell ? sell_rate : kMultiplyAdds;
  return static_cast<double>(weights.stored_values()) / rate;
}

double PlaneCycles(const WindowGeometry& g, const PackedWeights& weights) {
  return static_cast<double>(RoundUp(g.out_plane(), kVector)) * ColumnCycles(weights, kSellApartMultiplyAdds);
}

double SharedCycles(const WindowGeometry& g, size_t channels, const PackedWeights& weights) {
  const double columns = static_cast<double>(g.out_height) * static_cast<double>(SharedWidth(g));
  const auto images = static_cast<double>(channels * g.stride_h * g.stride_w);
  return columns * (ColumnCycles(weights, kSellApartMultiplyAdds) + images * kCopyShared) +
         static_cast<double>(g.out_plane() * weights.rows()) * kFinish;
}

double PixelCycles(const WindowGeometry& g, size_t channels, const PackedWeights& weights) {
  const double copy = g.stride_w == 1 ? kCopyPixels : kCopyPixelsApart;
  return static_cast<double>(RoundUp(g.out_plane(), kVector)) *
         (ColumnCycles(weights, kSellMultiplyAdds) + static_cast<double>(channels * g.taps()) * copy);
}

// Whether a window sees the planes as they are. Planes whose distance is a multiple of the page size all fall
// into the same few sets of the first-level cache.
bool SeesPlanes(const WindowGeometry& g) {
  return g.taps() == 1 && g.stride_h == 1 && g.stride_w == 1 && g.pad_top == 0 && g.pad_left == 0 &&
         g.height == g.out_height && g.width == g.out_width && g.plane() % 1024 != 0;
}

// Whether taps share anything: a window whose steps are as long as itself does not. Images that are larger
// than any scratch memory are left to the other way too.
bool SharesRows(const WindowGeometry& g, size_t channels) {
  constexpr double kMostFloats = 1 << 26;
  const double images = static_cast<double>(channels) * static_cast<double>(g.stride_h * g.stride_w);
  const double floats = images * static_cast<double>(SharedRows(g, 1)) * static_cast<double>(SharedWidth(g));
  return g.taps() > g.stride_h * g.stride_w && g.out_plane() > 0 && floats <= kMostFloats;
}

}  // namespace

size_t SharedWidth(const WindowGeometry& g) {
  return g.out_width + (g.kernel_w - 1) * g.dilation_w / g.stride_w;
}

size_t SharedRows(const WindowGeometry& g, size_t out_rows) {
  return out_rows + (g.kernel_h - 1) * g.dilation_h / g.stride_h;
}

ConvWay FastestWay(const WindowGeometry& g, size_t channels, const PackedWeights& weights) {
  const double by_pixels = PixelCycles(g, channels, weights);
  if (SeesPlanes(g) && PlaneCycles(g, weights) < by_pixels) return ConvWay::kPlane;
  if (SharesRows(g, channels) && SharedCycles(g, channels, weights) < by_pixels) return ConvWay::kShared;
  return ConvWay::kPixels;
}

}  // namespace espalier
