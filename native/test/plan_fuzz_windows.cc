#include "kernels/kernel_types.h"
#include "plan_fuzzer.h"

namespace espalier {

void PlanFuzzer::Window(size_t batch, size_t channels, size_t out_channels, size_t height, size_t width,
                        size_t out_h, size_t out_w, size_t kernel_h, size_t kernel_w) {
  SetPair("kernel", kernel_h, kernel_w);
  SetPair("strides", 1 + Below(5), 1 + Below(5));
  SetPair("dilations", 1 + Below(3), 1 + Below(3));
  SetPair("pads", Below(2) * Below(9), Below(2) * Below(9));
  In({batch, channels, height, width}), Out({batch, out_channels, out_h, out_w});
}

void PlanFuzzer::Tail(size_t channels) {
  if (Below(2)) Set("has_bias", 1), In({channels});
  if (Below(2)) Set("has_residual", 1), In(step_.outputs[0].dims);
  MaybeActivation();
}

void PlanFuzzer::Conv() {
  step_.op = "conv2d";
  const size_t groups = 1 + Below(2), channels = 1 + Below(4), outputs = 1 + Below(40);
  const size_t kernel_h = 1 + Below(3), kernel_w = 1 + Below(3);
  Window(1 + Below(2), groups * channels, groups * outputs, Dim(), Dim(), Dim(), Dim(), kernel_h, kernel_w);
  for (size_t g = 0; g < groups; ++g)
    step_.weights.push_back(AddWeights(outputs, channels * kernel_h * kernel_w));
  Tail(groups * outputs);
}

void PlanFuzzer::Depthwise() {
  step_.op = "depthwise_conv2d";
  const size_t channels = 1 + Below(5), multiplier = 1 + Below(2);
  const size_t kernel_h = 1 + Below(5), kernel_w = Below(2) ? kernel_h : 1 + Below(5);
  Window(1 + Below(2), channels, channels * multiplier, Dim(), Dim(), Dim(), Dim(), kernel_h, kernel_w);
  In({channels * multiplier, kernel_h, kernel_w});
  Tail(channels * multiplier);
}

void PlanFuzzer::Scatter() {
  step_.op = "conv_scatter";
  const size_t channels = 1 + Below(4), kernel_h = 1 + Below(4), kernel_w = 1 + Below(4);
  Window(1 + Below(2), channels * kernel_h * kernel_w, channels, Dim(), Dim(), Dim(), Dim(), kernel_h,
         kernel_w);
  if (Below(2)) Set("has_bias", 1), In({channels});
  MaybeActivation();
}

void PlanFuzzer::Pool() {
  step_.op = "pool2d";
  const size_t channels = 1 + Below(5);
  Window(1 + Below(2), channels, channels, Dim(), Dim(), Dim(), Dim(), 1 + Below(5), 1 + Below(5));
  Set("average", Below(2));
  Set("count_include_pad", Below(2));
  SetPair("pads_after", Below(9), Below(9));
}

void PlanFuzzer::Winograd() {
  step_.op = "winograd_conv2d";
  const size_t channels = 1 + Below(5), outputs = 1 + Below(40), height = Dim(), width = Dim();
  Window(1 + Below(2), channels, outputs, height, width, Dim(), Dim(), 3, 3);
  SetPair("strides", 1, 1), SetPair("dilations", 1, 1), SetPair("pads", Below(3), Below(3));
  step_.weights = {AddWeights(outputs, channels * 9)};
  Weights& weights = weights_.back();
  weights.format = WeightFormat::kDense;
  weights.winograd = true;
  Tail(outputs);
}

}  // namespace espalier
