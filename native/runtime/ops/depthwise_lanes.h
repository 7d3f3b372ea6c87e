#pragma once

#include <memory>

#include "runtime/ops/conv_geometry.h"

namespace espalier {

// Whether a depthwise convolution is faster with channels as lanes than with columns: where rows are short,
// most lanes of the latter would be empty.
bool LanesSuit(const StepSpec& spec, const WindowGeometry& geometry);

// The convolution of 16 channels at a time: their planes are turned to [height, width, channel], and back.
std::unique_ptr<Step> MakeDepthwiseLanes(const StepSpec& spec, const BuildContext& build,
                                         const WindowGeometry& geometry);

}  // namespace espalier
