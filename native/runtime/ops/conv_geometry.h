#pragma once

#include "runtime/step.h"

namespace espalier {

// A 2-D window sliding over planes: x [batch, channels, height, width] -> y [batch, out_channels, out_height,
// out_width]. 1-D operators have height 1.
struct WindowGeometry {
  size_t batch, channels, height, width;
  size_t out_channels, out_height, out_width;
  size_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w;
  size_t pad_top, pad_left;

  size_t taps() const { return kernel_h * kernel_w; }
  size_t plane() const { return height * width; }
  size_t out_plane() const { return out_height * out_width; }
};

// Reads inputs[0], outputs[0] (both 4-D float32) and ints "kernel", "strides", "dilations" [h, w], "pads"
// [top, left].
WindowGeometry ReadWindow(const StepSpec& spec);

}  // namespace espalier
