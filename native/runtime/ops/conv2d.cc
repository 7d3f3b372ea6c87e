// Convolution as panel matmul: y [out_channels, pixels] = W [out_channels, channels * taps] * panel, where
// the panel holds, for a run of output pixels, the input value under every channel and tap (conv_panel.h).
// Dense and sparse weights share it.

#include <algorithm>

#include "runtime/ops/conv_panel.h"
#include "runtime/ops/factories.h"
#include "runtime/ops/product.h"

namespace espalier {
namespace {

class Conv2d final : public Step {
 public:
  Conv2d(const StepSpec& spec, const BuildContext& build)
      : Step(spec.name),
        kernels_(build.kernels),
        geometry_(ReadWindow(spec)),
        activation_(ReadActivation(spec)) {
    const WindowGeometry& g = geometry_;
    const size_t groups = spec.weights.size();
    spec.Expect(groups > 0 && g.channels % groups == 0 && g.out_channels % groups == 0,
                "weights for every group");
    group_channels_ = g.channels / groups;
    group_outputs_ = g.out_channels / groups;
    std::vector<std::shared_ptr<const PackedWeights>> weights;
    for (size_t id : spec.weights) {
      weights.push_back(build.weights(id));
      spec.Expect(weights.back()->rows() == group_outputs_ &&
                      weights.back()->cols() == MultiplyAll({group_channels_, g.taps()}) &&
                      weights.back()->format() != WeightFormat::kEll,
                  "weights [outputs, channels x taps] in a format for several pixels");
    }
    x_ = build.resolve(spec.inputs[0]);
    y_ = build.resolve(spec.outputs[0]);
    has_bias_ = spec.Int("has_bias", 0) != 0;
    has_residual_ = spec.Int("has_residual", 0) != 0;
    spec.Expect(spec.inputs.size() == 1u + has_bias_ + has_residual_, "x, bias and residual");
    if (has_bias_) {
      spec.Expect(spec.inputs[1].Elements() == g.out_channels, "a bias of every output channel");
      bias_ = build.resolve(spec.inputs[1]);
    }
    if (has_residual_) {
      spec.Expect(spec.inputs.back().dims == spec.outputs[0].dims, "a residual of the output's shape");
      residual_ = build.resolve(spec.inputs.back());
    }

    panel_ = std::make_unique<ConvPanel>(g, group_channels_, build.threads);
    const size_t pieces = g.batch * groups * panel_->tiles();
    // Where there are few tiles the rows are shared too; each thread then prepares the tile for itself.
    const size_t parts = pieces >= build.threads ? 1 : build.threads;
    size_t sums = 0;
    for (const std::shared_ptr<const PackedWeights>& group : weights) {
      products_.emplace_back(kernels_, group, parts);
      sums = std::max(sums, products_.back().scratch_floats(0));
      row_parts_ = std::max(row_parts_, products_.back().parts());
    }
    chunks_ = pieces * row_parts_;
    panel_floats_ = RoundUp(panel_->scratch_floats(), 16);
    scratch_bytes_ = (panel_floats_ + sums) * sizeof(float);
  }

  void Run(const RunContext& context, size_t chunk, uint8_t* scratch) const noexcept override {
    const WindowGeometry& g = geometry_;
    const size_t part = chunk % row_parts_;
    const size_t tile = chunk / row_parts_ % panel_->tiles();
    const size_t group = chunk / row_parts_ / panel_->tiles() % products_.size();
    const size_t image = chunk / row_parts_ / panel_->tiles() / products_.size();
    const Product& product = products_[group];
    if (part >= product.parts()) return;  // a group with fewer rows to share than another
    const float* x = context.At<const float>(x_) + (image * g.channels + group * group_channels_) * g.plane();
    const size_t first_output = (image * g.out_channels + group * group_outputs_) * g.out_plane();
    Epilogue epilogue = EpilogueOf(activation_);
    epilogue.bias = has_bias_ ? context.At<const float>(bias_) + group * group_outputs_ : nullptr;
    epilogue.residual_stride = g.out_plane();
    auto* floats = reinterpret_cast<float*>(scratch);
    panel_->ForEachRun(x, tile, floats, [&](const ConvPanel::Run& run) {
      const size_t offset = first_output + run.pixel;
      epilogue.residual = has_residual_ ? context.At<const float>(residual_) + offset : nullptr;
      product.ToRows(part, run.panel, run.width, context.At<float>(y_) + offset, g.out_plane(), epilogue,
                     floats + panel_floats_);
    });
  }

 private:
  const KernelTable& kernels_;
  const WindowGeometry geometry_;
  const Activation activation_;
  std::vector<Product> products_;  // by group
  size_t group_channels_ = 0;
  size_t group_outputs_ = 0;
  std::unique_ptr<ConvPanel> panel_;
  size_t panel_floats_ = 0;
  size_t row_parts_ = 1;
  Address x_, y_, bias_, residual_;
  bool has_bias_ = false;
  bool has_residual_ = false;
};

}  // namespace

std::unique_ptr<Step> MakeConv2d(const StepSpec& spec, const BuildContext& build) {
  return std::make_unique<Conv2d>(spec, build);
}

}  // namespace espalier
