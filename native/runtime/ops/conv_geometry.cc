#include "runtime/ops/conv_geometry.h"

#include <algorithm>

namespace espalier {
WindowGeometry ReadWindow(const StepSpec& spec) {
  spec.Expect(!spec.inputs.empty() && spec.outputs.size() == 1, "inputs and one output");
  const TensorRef& x = spec.inputs[0];
  const TensorRef& y = spec.outputs[0];
  spec.Expect(x.dims.size() == 4 && y.dims.size() == 4, "4-D tensors");
  spec.ExpectFloat32();
  spec.Expect(x.dims[0] == y.dims[0], "equal batch sizes");
  const auto pair = [&](const char* key, size_t least, size_t* h, size_t* w) {
    const std::vector<size_t> sizes = spec.Sizes(key);
    spec.Expect(sizes.size() == 2 && sizes[0] >= least && sizes[1] >= least,
                std::string("two sizes in ") + key);
    *h = sizes[0];
    *w = sizes[1];
  };
  WindowGeometry g{};
  g.batch = x.dims[0];
  g.channels = x.dims[1];
  g.height = x.dims[2];
  g.width = x.dims[3];
  g.out_channels = y.dims[1];
  g.out_height = y.dims[2];
  g.out_width = y.dims[3];
  pair("kernel", 1, &g.kernel_h, &g.kernel_w);
  pair("strides", 1, &g.stride_h, &g.stride_w);
  pair("dilations", 1, &g.dilation_h, &g.dilation_w);
  pair("pads", 0, &g.pad_top, &g.pad_left);
  // Far from overflow, wherever in or outside the padding a window looks; src/compile/lower/convolution.ts
  // refuses what goes further by a message about the model.
  constexpr size_t kMostTaps = size_t{1} << 24;
  spec.Expect(MultiplyAll({g.kernel_h, g.kernel_w}) <= kMostTaps, "windows of fewer taps");
  constexpr size_t kFarthest = size_t{1} << 40;
  const auto reach = [](size_t out, size_t stride, size_t kernel, size_t dilation, size_t pad) {
    return AddSizes(
        pad, AddSizes(MultiplySizes(std::max<size_t>(out, 1), stride), MultiplySizes(kernel, dilation)));
  };
  spec.Expect(reach(g.out_height, g.stride_h, g.kernel_h, g.dilation_h, g.pad_top) <= kFarthest &&
                  reach(g.out_width, g.stride_w, g.kernel_w, g.dilation_w, g.pad_left) <= kFarthest,
              "windows that reach less far");
  return g;
}

}  // namespace espalier
