// Convolution as panel matmul: y [out_channels, pixels] = W [out_channels, channels * taps] * panel, where
// the panel holds, for a run of output pixels, the input value under every channel and tap (conv_panel.h).
// Dense and sparse weights share it. ints "input_channels" and "output_channels" list the channels that the
// columns and rows of W stand for, where these are not all: other outputs get bias and residual alone.

#include <algorithm>

#include "runtime/ops/conv_operands.h"
#include "runtime/ops/conv_panel.h"
#include "runtime/ops/factories.h"
#include "runtime/ops/product.h"
#include "runtime/ops/selected_channels.h"

namespace espalier {
namespace {

class Conv2d final : public Step {
 public:
  Conv2d(const StepSpec& spec, const BuildContext& build)
      : Step(spec.name),
        kernels_(build.kernels),
        geometry_(ReadWindow(spec)),
        operands_(spec, build, geometry_),
        groups_(spec.weights.size()),
        outputs_(spec, "output_channels", geometry_.out_channels, true) {
    const WindowGeometry& g = geometry_;
    spec.Expect(groups_ > 0 && g.channels % groups_ == 0 && g.out_channels % groups_ == 0,
                "weights for every group");
    const SelectedChannels inputs(spec, "input_channels", g.channels / groups_, false);
    spec.Expect(groups_ == 1 || (inputs.all() && outputs_.all()), "channels selected of one group");
    std::vector<std::shared_ptr<const PackedWeights>> weights;
    for (const size_t id : spec.weights) {
      weights.push_back(build.weights(id));
      spec.Expect(weights.back()->rows() == outputs_.count() / groups_ &&
                      weights.back()->cols() == MultiplyAll({inputs.count(), g.taps()}) &&
                      weights.back()->format() != WeightFormat::kEll,
                  "weights [outputs, channels x taps] in a format for several pixels");
    }
    panel_ = std::make_unique<ConvPanel>(kernels_, g, inputs.channels(), *weights[0], build.threads);
    maps_ = !outputs_.all() || panel_->lines().stride != 0;
    const size_t pieces = MultiplyAll({g.batch, groups_, panel_->tiles()});
    // Where there are few tiles the rows are shared too; each thread then prepares the tile for itself.
    const size_t parts = pieces >= build.threads ? 1 : build.threads;
    const size_t widest = panel_->widest();
    size_t sums = 0;
    for (const std::shared_ptr<const PackedWeights>& group : weights) {
      const Product& product = products_.emplace_back(kernels_, group, parts);
      sums =
          std::max(sums, maps_ ? product.mapped_scratch_floats(widest) : product.rows_scratch_floats(widest));
      row_parts_ = std::max(row_parts_, product.parts());
    }
    chunks_ = pieces * row_parts_;
    panel_floats_ = RoundUp(panel_->scratch_floats(), 16);
    scratch_bytes_ = MultiplySizes(AddSizes(panel_floats_, sums), sizeof(float));
  }

  void Run(const RunContext& context, size_t chunk, uint8_t* scratch) const noexcept override {
    const WindowGeometry& g = geometry_;
    const size_t part = chunk % row_parts_;
    const size_t group = chunk / row_parts_ / panel_->tiles() % groups_;
    const size_t image = chunk / row_parts_ / panel_->tiles() / groups_;
    const Product& product = products_[group];
    if (part >= product.parts()) return;  // a group with fewer rows to share than another
    const float* x = operands_.x(context) + (image * groups_ + group) * (g.channels / groups_) * g.plane();
    auto* floats = reinterpret_cast<float*>(scratch);
    float* sums = floats + panel_floats_;
    const ConvPanel::Tile tile = panel_->Prepare(x, chunk / row_parts_ % panel_->tiles(), floats);
    const size_t first_channel = group * (g.out_channels / groups_);
    const size_t offset = (image * g.out_channels + first_channel) * g.out_plane() + tile.pixel;
    float* y = operands_.y(context) + offset;
    const Epilogue epilogue = operands_.EpilogueAt(context, first_channel, offset);
    if (!maps_) {
      product.ToRows(part, tile.panel, tile.width, y, g.out_plane(), epilogue, sums);
      return;
    }
    const OutputMap map = {outputs_, panel_->lines()};
    product.ToMappedRows(part, tile.panel, tile.width, map, y, g.out_plane(), epilogue, sums);
    if (part > 0) return;
    for (const SelectedChannels::Run& rest : outputs_.rest()) {
      FinishZeros(kernels_, rest.count, map.columns.Kept(tile.width), y + rest.channel * g.out_plane(),
                  g.out_plane(), AtRow(epilogue, rest.channel, g.out_plane()));
    }
  }

 private:
  const KernelTable& kernels_;
  const WindowGeometry geometry_;
  const ConvOperands operands_;
  const size_t groups_;
  const SelectedChannels outputs_;
  std::vector<Product> products_;  // by group
  std::unique_ptr<ConvPanel> panel_;
  bool maps_ = false;  // rows or columns of the products to other places
  size_t panel_floats_ = 0;
  size_t row_parts_ = 1;
};

}  // namespace

std::unique_ptr<Step> MakeConv2d(const StepSpec& spec, const BuildContext& build) {
  return std::make_unique<Conv2d>(spec, build);
}

}  // namespace espalier
