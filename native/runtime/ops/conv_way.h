#pragma once

#include "runtime/ops/conv_geometry.h"

namespace espalier {

// How a convolution's input becomes the right-hand side of a product: see conv_panel.h.
enum class ConvWay { kPlane, kShared, kPixels };

// The way that is predicted fastest for one group of `channels` channels.
ConvWay FastestWay(const WindowGeometry& geometry, size_t channels, const PackedWeights& weights);

// The images that a window's taps share: their width, which is what a row of output pixels sees of one, and
// their rows under so many output rows.
size_t SharedWidth(const WindowGeometry& geometry);
size_t SharedRows(const WindowGeometry& geometry, size_t out_rows);

}  // namespace espalier
