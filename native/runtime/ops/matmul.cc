// y [n, outputs] = x [n, inputs] * W^T with packed weights W [outputs, inputs]. inputs: x; scale [outputs] if
// has_scale; bias [outputs] if has_bias; residual [n, outputs] if has_residual.
//
// The rows of x are packed as panels. Each meets all weights, or a group of them does when these are too
// large to come from memory once for every panel. A thread takes a group; where these are too few, threads
// share the panels and cut the weights.
//
// Between two products x or y may stay in panels: with "x_tile", x is [tiles, inputs, x_tile] instead of [n,
// inputs], and y likewise with "y_tile"; what is past the n tokens does not matter.
//
// With a second weight matrix B [rank, inputs], W has inputs + rank columns, and the last ones multiply B x:
// a sparse and a low-rank product in one pass over the outputs (W = [S, A]: y = S x + A (B x)).

#include <algorithm>

#include "runtime/ops/factories.h"
#include "runtime/ops/product.h"

namespace espalier {
namespace {

// How many threads one vector is worth: less than this is not worth another one.
constexpr size_t kVectorBytesPerPart = 32 * 1024;

// Weights that come from memory in every run: large ones, of a plan whose weights together are more than a
// last-level cache keeps from one run to the next. On a Zen 5 core a ViT-B/16 takes 1.25 times as long when
// every panel fetches them; but weights that are in that cache anyway are worth 5 % less in blocks than panel
// by panel.
constexpr size_t kLargeWeights = 4 * 1024 * 1024;
constexpr size_t kCachedWeights = 24 * 1024 * 1024;

// Such weights meet a group of panels at a time: bytes of the panels, and tokens.
constexpr size_t kGroupBytes = 4 * 1024 * 1024;
constexpr size_t kGroupTokens = 512;

constexpr size_t kMostTile = 256;

// With fewer groups for each thread the last one would keep the others waiting.
constexpr size_t kSharingGroups = 8;

// Panels of a group.
size_t GroupSize(const TokenTiles& tiles, size_t panel_floats) {
  const size_t most = std::max<size_t>(
      std::min(kGroupBytes / sizeof(float) / std::max<size_t>(panel_floats, 1), kGroupTokens / tiles.width),
      1);
  const size_t groups = (tiles.count + most - 1) / most;
  return (tiles.count + groups - 1) / groups;
}

class Matmul final : public Step {
 public:
  Matmul(const StepSpec& spec, const BuildContext& build)
      : Step(spec.name), kernels_(build.kernels), activation_(ReadActivation(spec)) {
    spec.Expect(!spec.weights.empty() && spec.weights.size() <= 2 && spec.outputs.size() == 1,
                "one or two weight matrices and one output");
    const std::shared_ptr<const PackedWeights> weights = build.weights(spec.weights[0]);
    n_ = spec.Size("n");
    outputs_ = weights->rows();
    inputs_ = weights->cols();
    const WeightFormat format = weights->format();
    spec.Expect(n_ == 1 ? format != WeightFormat::kSell : format != WeightFormat::kEll,
                "weights in a format for as many rows of x");
    if (spec.weights.size() == 2) {
      low_rank_ = std::make_unique<Product>(kernels_, build.weights(spec.weights[1]), 1);
      spec.Expect(low_rank_->cols() + low_rank_->rows() == inputs_ &&
                      low_rank_->weights().format() == WeightFormat::kDense,
                  "dense weights [rank, inputs] beside weights [outputs, inputs + rank]");
      inputs_ -= low_rank_->rows();
    }
    ReadTiles(spec, format);
    ReadOperands(spec, build);

    if (n_ == 1) {
      const size_t parts = SplitWork(weights->byte_size(), kVectorBytesPerPart, build.threads).parts;
      product_ = std::make_unique<Product>(kernels_, weights, parts);
      chunks_ = product_->parts();
      scratch_bytes_ = (weights->cols() + Product::kVectorSlack) * sizeof(float);
      return;
    }
    PlanTiles(weights, build);
  }

  void Run(const RunContext& context, size_t chunk, uint8_t* scratch) const noexcept override {
    auto* floats = reinterpret_cast<float*>(scratch);
    if (n_ == 1) return RunVector(context, chunk, floats);
    auto* const shared = reinterpret_cast<float*>(context.shared);
    if (chunk < first_stage_chunks_) return PackPanel(context, chunk, shared + chunk * panel_floats_);
    const size_t group = (chunk - first_stage_chunks_) / product_->parts();
    const size_t part = (chunk - first_stage_chunks_) % product_->parts();
    const size_t first = group * group_;
    if (x_panels_) {
      return RunGroup(context, group, part, context.At<const float>(x_) + first * panel_floats_, floats);
    }
    if (shared_) return RunGroup(context, group, part, shared + first * panel_floats_, floats);
    for (size_t i = 0; i < std::min(group_, tiles_.count - first); ++i)
      PackPanel(context, first + i, floats + i * panel_floats_);
    RunGroup(context, group, part, floats, floats + group_ * panel_floats_);
  }

 private:
  void ReadTiles(const StepSpec& spec, WeightFormat format) {
    const size_t x_tile = spec.Int("x_tile", 0) == 0 ? 0 : spec.Size("x_tile");
    const size_t y_tile = spec.Int("y_tile", 0) == 0 ? 0 : spec.Size("y_tile");
    x_panels_ = x_tile != 0;
    y_panels_ = y_tile != 0;
    const size_t tile = std::max(x_tile, y_tile);
    tiles_ = tile == 0 ? CutTokens(format, n_) : CutTokens(n_, tile);
    if (tile == 0) return;
    spec.Expect(n_ > 1 && low_rank_ == nullptr && tile % 16 == 0 && tile <= kMostTile &&
                    (!x_panels_ || !y_panels_ || x_tile == y_tile),
                "panels of 16 or more tokens, as wide on both sides");
  }

  void PlanTiles(const std::shared_ptr<const PackedWeights>& weights, const BuildContext& build) {
    panel_rows_ = PanelRows(weights->cols(), tiles_.width);
    panel_floats_ = weights->cols() * tiles_.width;
    if (!x_panels_) panel_floats_ = RoundUp(panel_floats_ + kPanelSlack, 16);
    const bool from_memory = weights->byte_size() > kLargeWeights && build.weight_bytes() > kCachedWeights;
    group_ = from_memory ? GroupSize(tiles_, panel_floats_) : 1;
    const size_t groups = (tiles_.count + group_ - 1) / group_;
    shared_ = build.threads > 1 && groups < build.threads * kSharingGroups;
    const size_t parts = shared_ ? build.threads * 2 : 1;
    const size_t columns = std::min(group_ * tiles_.width, n_);
    product_ = std::make_unique<Product>(kernels_, weights, parts, columns, group_);
    const size_t shared_panels = shared_ && !x_panels_ ? tiles_.count : 0;
    const size_t own_panels = shared_ || x_panels_ ? 0 : group_;
    first_stage_chunks_ = shared_panels;
    chunks_ = first_stage_chunks_ + groups * product_->parts();
    shared_bytes_ = shared_panels * panel_floats_ * sizeof(float);
    scratch_bytes_ = (own_panels * panel_floats_ + product_->tokens_scratch_floats(columns)) * sizeof(float);
  }

  void ReadOperands(const StepSpec& spec, const BuildContext& build) {
    has_scale_ = spec.Int("has_scale", 0) != 0;
    has_bias_ = spec.Int("has_bias", 0) != 0;
    has_residual_ = spec.Int("has_residual", 0) != 0;
    spec.ExpectFloat32();
    spec.Expect(spec.inputs.size() == 1u + has_scale_ + has_bias_ + has_residual_,
                "x, scale, bias and residual");
    const size_t in_tiles = MultiplySizes(tiles_.count, tiles_.width);
    spec.Expect(!y_panels_ || !has_residual_, "no residual where y is in panels");
    spec.Expect(spec.inputs[0].Elements() == MultiplySizes(x_panels_ ? in_tiles : n_, inputs_),
                "x [n, inputs] or in panels");
    spec.Expect(spec.outputs[0].Elements() == MultiplySizes(y_panels_ ? in_tiles : n_, outputs_),
                "an output [n, outputs] or in panels");
    x_ = build.resolve(spec.inputs[0]);
    y_ = build.resolve(spec.outputs[0]);
    size_t next = 1;
    if (has_scale_) {
      spec.Expect(spec.inputs[next].Elements() == outputs_, "a scale [outputs]");
      scale_ = build.resolve(spec.inputs[next++]);
    }
    if (has_bias_) {
      spec.Expect(spec.inputs[next].Elements() == outputs_, "a bias [outputs]");
      bias_ = build.resolve(spec.inputs[next++]);
    }
    if (has_residual_) {
      spec.Expect(spec.inputs[next].Elements() == MultiplyAll({n_, outputs_}), "a residual [n, outputs]");
      residual_ = build.resolve(spec.inputs[next]);
    }
  }

  Epilogue EpilogueAt(const RunContext& context, size_t token) const noexcept {
    Epilogue epilogue = EpilogueOf(activation_);
    epilogue.residual_stride = outputs_;
    if (has_scale_) epilogue.scale = context.At<const float>(scale_);
    if (has_bias_) epilogue.bias = context.At<const float>(bias_);
    if (has_residual_) epilogue.residual = context.At<const float>(residual_) + token * outputs_;
    return epilogue;
  }

  void RunVector(const RunContext& context, size_t part, float* scratch) const noexcept {
    const float* x = context.At<const float>(x_);
    if (low_rank_ != nullptr || product_->weights().format() == WeightFormat::kEll) {
      std::copy_n(x, inputs_, scratch);
      if (low_rank_ != nullptr) low_rank_->Vector(0, x, scratch + inputs_, EpilogueOf(Activation{}));
      x = scratch;
    }
    product_->Vector(part, x, context.At<float>(y_), EpilogueAt(context, 0));
  }

  // The panel [inputs + rank, tiles_.width] of a tile.
  void PackPanel(const RunContext& context, size_t tile, float* panel) const noexcept {
    const float* x = context.At<const float>(x_) + tiles_.Begin(tile) * inputs_;
    kernels_.transpose(x, inputs_, tiles_.Width(tile), inputs_, panel, tiles_.width);
    if (low_rank_ == nullptr) return;
    low_rank_->ToRows(0, Panel{panel, panel_rows_.data(), tiles_.width}, tiles_.Width(tile),
                      panel + inputs_ * tiles_.width, tiles_.width, EpilogueOf(Activation{}), nullptr);
  }

  void RunGroup(const RunContext& context, size_t group, size_t part, const float* panels,
                float* sums) const noexcept {
    const size_t token = tiles_.Begin(group * group_);
    const Panels all = {Panel{panels, panel_rows_.data(), tiles_.width},
                        tiles_.Begin((group + 1) * group_) - token, tiles_.width, panel_floats_};
    if (y_panels_) {
      const size_t step = outputs_ * tiles_.width;
      float* const y = context.At<float>(y_) + group * group_ * step;
      return product_->ToPanels(part, all, y, step, EpilogueAt(context, token), sums);
    }
    product_->ToTokens(part, all, context.At<float>(y_) + token * outputs_, outputs_,
                       EpilogueAt(context, token), sums);
  }

  const KernelTable& kernels_;
  const Activation activation_;
  std::unique_ptr<Product> product_;
  std::unique_ptr<Product> low_rank_;  // B, or null
  size_t n_ = 0;
  size_t inputs_ = 0;  // of x
  size_t outputs_ = 0;
  size_t panel_floats_ = 0;
  std::vector<uint32_t> panel_rows_;
  TokenTiles tiles_{1, 1, 1};
  size_t group_ = 1;     // tiles that are multiplied together
  bool shared_ = false;  // threads share the panels
  bool x_panels_ = false, y_panels_ = false;
  Address x_, y_, scale_, bias_, residual_;
  bool has_scale_ = false;
  bool has_bias_ = false;
  bool has_residual_ = false;
};

}  // namespace

std::unique_ptr<Step> MakeMatmul(const StepSpec& spec, const BuildContext& build) {
  return std::make_unique<Matmul>(spec, build);
}

}  // namespace espalier
