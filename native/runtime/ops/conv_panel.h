#pragma once

#include <vector>

#include "runtime/ops/conv_way.h"
#include "runtime/ops/product.h"

namespace espalier {

// How a convolution sees its input: as the right-hand side [channels * taps, columns] of a product, a tile of
// output pixels at a time. A tile is packed into scratch memory that stays in cache, in one of three ways:
//  - kPlane: a plain 1x1 window sees the planes as they are. Nothing is copied, but for the last pixels.
//  - kShared: the taps of a window see the same rows, shifted. Each input value is copied once, with its
//  padding,
//    into the image of those that its window's steps reach: rows modulo the vertical stride, columns modulo
//    the horizontal one. Columns of the product walk along the rows of these images, padding included: those
//    that are no output pixels are computed and dropped.
//  - kPixels: any window; every tap gets a copy of its own (im2col).
class ConvPanel {
 public:
  // `channels`: which channels of x the panel has rows for, of one group. `weights`: those of one group.
  ConvPanel(const KernelTable& kernels, const WindowGeometry& geometry, std::vector<size_t> channels,
            const PackedWeights& weights, size_t threads);

  size_t tiles() const { return tiles_; }  // per image and group
  size_t scratch_floats() const { return scratch_floats_; }
  size_t widest() const { return widest_; }  // columns of a tile
  // How columns become pixels.
  const ColumnLines& lines() const { return lines_; }

  // The columns of a tile, the first of which is output pixel `pixel`, and what they see.
  struct Tile {
    Panel panel;
    size_t pixel;
    size_t width;
  };
  // x: [channels, height, width].
  Tile Prepare(const float* x, size_t tile, float* scratch) const noexcept;

 private:
  void PlanShared(size_t threads);
  void PlanPixels(size_t threads);
  bool SeesPlane(size_t tile) const noexcept;
  void PackShared(const float* x, size_t tile, float* scratch) const noexcept;
  void PackPixels(const float* x, size_t tile, float* scratch) const noexcept;

  const KernelTable& kernels_;
  WindowGeometry geometry_;
  std::vector<size_t> channels_;
  ConvWay way_;
  size_t tiles_ = 0;
  size_t scratch_floats_ = 0;
  size_t widest_ = 0;
  ColumnLines lines_;
  size_t tile_pixels_ = 0;            // kPlane, kPixels: a multiple of 16
  size_t tile_rows_ = 0;              // kShared: output rows of a tile
  size_t image_rows_ = 0;             // kShared: rows of each image
  std::vector<uint32_t> rows_;        // [channels_ * taps], where the packed panel's rows start
  std::vector<uint32_t> plane_rows_;  // [channels_], where the planes start (kPlane)
  size_t plane_stride_ = 0;           // what lies between all of them, or 0 (kPlane)
};

}  // namespace espalier
