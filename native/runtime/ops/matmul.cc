// y [n, outputs] = x [n, inputs] * W^T with packed weights W [outputs, inputs]. inputs: x; scale [outputs] if
// has_scale; bias [outputs] if has_bias; residual [n, outputs] if has_residual.
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

size_t PartsOf(const PackedWeights& weights, size_t n, size_t tiles, size_t threads) {
  if (n == 1) return SplitWork(weights.byte_size(), kVectorBytesPerPart, threads).parts;
  return threads == 1 || tiles >= threads * 2 ? 1 : threads * 2;
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
    ReadOperands(spec, build);

    tiles_ = CutTokens(format, n_);
    product_ =
        std::make_unique<Product>(kernels_, weights, PartsOf(*weights, n_, tiles_.count, build.threads));
    chunks_ = tiles_.count * product_->parts();
    if (n_ == 1) {
      scratch_bytes_ = (weights->cols() + Product::kVectorSlack) * sizeof(float);
      return;
    }
    panel_rows_ = PanelRows(weights->cols(), tiles_.width);
    panel_floats_ = RoundUp(weights->cols() * tiles_.width + kPanelSlack, 16);
    const size_t sums = product_->scratch_floats(tiles_.width);
    if (product_->parts() > 1) {  // parts of a tile share its panel: it is packed first, for all of them
      first_stage_chunks_ = tiles_.count;
      chunks_ += first_stage_chunks_;
      shared_bytes_ = tiles_.count * panel_floats_ * sizeof(float);
      scratch_bytes_ = sums * sizeof(float);
    } else {
      scratch_bytes_ = (panel_floats_ + sums) * sizeof(float);
    }
  }

  void Run(const RunContext& context, size_t chunk, uint8_t* scratch) const noexcept override {
    auto* floats = reinterpret_cast<float*>(scratch);
    if (n_ == 1) return RunVector(context, chunk, floats);
    if (product_->parts() == 1) {
      PackPanel(context, chunk, floats);
      return RunTile(context, chunk, 0, floats, floats + panel_floats_);
    }
    auto* panels = reinterpret_cast<float*>(context.shared);
    if (chunk < first_stage_chunks_) return PackPanel(context, chunk, panels + chunk * panel_floats_);
    const size_t tile = (chunk - first_stage_chunks_) / product_->parts();
    const size_t part = (chunk - first_stage_chunks_) % product_->parts();
    RunTile(context, tile, part, panels + tile * panel_floats_, floats);
  }

 private:
  void ReadOperands(const StepSpec& spec, const BuildContext& build) {
    has_scale_ = spec.Int("has_scale", 0) != 0;
    has_bias_ = spec.Int("has_bias", 0) != 0;
    has_residual_ = spec.Int("has_residual", 0) != 0;
    spec.ExpectFloat32();
    spec.Expect(spec.inputs.size() == 1u + has_scale_ + has_bias_ + has_residual_,
                "x, scale, bias and residual");
    spec.Expect(spec.inputs[0].Elements() == MultiplyAll({n_, inputs_}), "x [n, inputs]");
    spec.Expect(spec.outputs[0].Elements() == MultiplyAll({n_, outputs_}), "an output [n, outputs]");
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
    low_rank_->ToRows(0, PanelOf(panel), tiles_.Width(tile), panel + inputs_ * tiles_.width, tiles_.width,
                      EpilogueOf(Activation{}), nullptr);
  }

  Panel PanelOf(const float* panel) const noexcept { return Panel{panel, panel_rows_.data(), tiles_.width}; }

  void RunTile(const RunContext& context, size_t tile, size_t part, const float* panel,
               float* sums) const noexcept {
    const size_t token = tiles_.Begin(tile);
    product_->ToTokens(part, PanelOf(panel), tiles_.Width(tile), context.At<float>(y_) + token * outputs_,
                       outputs_, EpilogueAt(context, token), sums);
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
  TokenTiles tiles_{1, 1, 1, 1};
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
