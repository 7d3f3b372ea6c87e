#pragma once

#include <vector>

#include "runtime/ops/conv_geometry.h"

namespace espalier {

// How a convolution sees its input: as the right-hand side [channels * taps, pixels] of a product, a tile of
// output pixels at a time. What a tile holds is packed into scratch memory that stays in cache, in one of
// three ways:
//  - kPlane: a plain 1x1 window sees the planes as they are. Nothing is copied, but for the last pixels.
//  - kRows: with a horizontal stride of 1 the taps of a window see the same input rows, shifted: each input
//  row is
//    copied once, with its padding, and serves all of them.
//  - kPixels: any window; every tap gets a copy of its own (im2col).
class ConvPanel {
 public:
  // `channels`: which channels of x the panel has rows for, of one group.
  ConvPanel(const KernelTable& kernels, const WindowGeometry& geometry, std::vector<size_t> channels,
            size_t threads);

  size_t tiles() const { return tiles_; }  // per image and group
  size_t scratch_floats() const { return scratch_floats_; }

  size_t widest_run() const { return way_ == Way::kRows ? geometry_.out_width : tile_pixels_; }

  // A run of output pixels [pixel, pixel + width) of the output plane, and what they see.
  struct Run {
    Panel panel;
    size_t pixel;
    size_t width;
  };

  // Prepares a tile of x [channels, height, width], then calls visit(run) for each of its runs.
  template <typename Visit>
  void ForEachRun(const float* x, size_t tile, float* scratch, Visit visit) const noexcept {
    const size_t runs = Prepare(x, tile, scratch);
    for (size_t i = 0; i < runs; ++i) visit(RunOf(x, tile, i, scratch));
  }

 private:
  enum class Way { kPlane, kRows, kPixels };

  void PlanRows(size_t threads);
  void PlanPixels(size_t threads);
  bool SeesPlane(size_t tile) const noexcept;
  size_t Prepare(const float* x, size_t tile, float* scratch) const noexcept;  // returns the number of runs
  Run RunOf(const float* x, size_t tile, size_t index, const float* scratch) const noexcept;
  void PackRows(const float* x, size_t tile, float* scratch) const noexcept;
  void PackPixels(const float* x, size_t tile, float* scratch) const noexcept;

  const KernelTable& kernels_;
  WindowGeometry geometry_;
  std::vector<size_t> channels_;
  Way way_;
  size_t tiles_ = 0;
  size_t scratch_floats_ = 0;
  size_t tile_pixels_ = 0;            // kPlane, kPixels: a multiple of 16
  size_t tile_rows_ = 0;              // kRows: output rows of a tile
  size_t input_rows_ = 0;             // kRows: input rows under a tile
  size_t row_floats_ = 0;             // kRows: a padded input row, a multiple of 16
  std::vector<uint32_t> rows_;        // [channels_ * taps], where the packed panel's rows start
  std::vector<uint32_t> plane_rows_;  // [channels_], where the planes start (kPlane)
  size_t plane_stride_ = 0;           // what lies between all of them, or 0 (kPlane)
};

}  // namespace espalier
