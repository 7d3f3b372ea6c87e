// A dense 3 x 3 convolution by Winograd's F(4 x 4, 3 x 3): 36 multiply-adds for 16 outputs where the
// definition takes 144. The output plane is cut into tiles of 4 x 4. For a block of tiles, each of the 36
// components is a product of its own, U_k [outputs, channels] times V_k [channels, tiles], between a
// transform of the input and one of the sums. inputs: as conv2d. weights: one, as Session::AddWinogradWeights
// packs them, for the selected channels.

#include <algorithm>

#include "formats/winograd.h"
#include "runtime/ops/conv_operands.h"
#include "runtime/ops/factories.h"
#include "runtime/ops/product.h"
#include "runtime/ops/row_window.h"
#include "runtime/ops/selected_channels.h"

namespace espalier {
namespace {

constexpr size_t kTile = 4;       // output pixels of a tile, each way
constexpr size_t kVector = 16;    // tiles that the transforms write at once
constexpr size_t kStrip = 48;     // tiles that the kernel of the products takes at once
constexpr size_t kPartRows = 32;  // outputs whose components lie in memory together

constexpr size_t Ceil(size_t a, size_t b) { return (a + b - 1) / b; }

class WinogradConv2d final : public Step {
 public:
  WinogradConv2d(const StepSpec& spec, const BuildContext& build)
      : Step(spec.name),
        kernels_(build.kernels),
        geometry_(ReadWindow(spec)),
        operands_(spec, build, geometry_),
        inputs_(spec, "input_channels", geometry_.channels, false),
        outputs_(spec, "output_channels", geometry_.out_channels, true) {
    const WindowGeometry& g = geometry_;
    spec.Expect(g.kernel_h == 3 && g.kernel_w == 3 && g.stride_h == 1 && g.stride_w == 1 &&
                    g.dilation_h == 1 && g.dilation_w == 1 && g.pad_top <= 2 && g.pad_left <= 2,
                "a window of 3 x 3 that moves by 1");
    spec.Expect(spec.weights.size() == 1, "one weight matrix");
    weights_ = build.weights(spec.weights[0]);
    component_rows_ = RoundUp(outputs_.count(), 16);
    spec.Expect(weights_->format() == WeightFormat::kDense && weights_->cols() == inputs_.count() &&
                    weights_->rows() == MultiplySizes(kWinogradComponents, component_rows_),
                "transformed filters [36 x outputs, channels]");
    CutBlocks(build.threads);
    chunks_ = MultiplyAll({g.batch, blocks_high_, blocks_wide_});
    part_rows_ = std::min(kPartRows, component_rows_);
    row_floats_ = kTile * RoundUp(block_columns_, kVector) + kVector;
    padded_floats_ = (kTile * block_rows_ + 2) * row_floats_;
    // The transform of a row of tiles writes whole vectors, which the next row overwrites.
    lanes_ = (block_rows_ - 1) * block_columns_ + RoundUp(block_columns_, kVector);
    lanes_ = RoundUp(lanes_, kVector);
    // A line more than they hold, so that the components of a tile do not all want the same few lines of the
    // first-level cache.
    input_stride_ = AddSizes(MultiplySizes(inputs_.count(), lanes_), kVector);
    product_stride_ = part_rows_ * lanes_ + kVector;
    input_floats_ = AddSizes(MultiplySizes(kWinogradComponents, input_stride_), kPanelSlack);
    product_floats_ = kWinogradComponents * product_stride_;
    image_floats_ = kTile * RoundUp(block_columns_, kVector);
    const size_t output_floats = kTile * block_rows_ * part_rows_ * image_floats_;
    scratch_bytes_ = MultiplySizes(AddSizes(input_floats_, padded_floats_ + product_floats_ + output_floats),
                                   sizeof(float));
    panel_rows_ = PanelRows(inputs_.count(), lanes_);
  }

  void Run(const RunContext& context, size_t chunk, uint8_t* scratch) const noexcept override {
    const size_t block_x = chunk % blocks_wide_;
    const size_t block_y = chunk / blocks_wide_ % blocks_high_;
    const size_t image = chunk / blocks_wide_ / blocks_high_;
    const Block block = {block_y * block_rows_, std::min(block_rows_, tile_rows_ - block_y * block_rows_),
                         block_x * block_columns_,
                         std::min(block_columns_, tile_columns_ - block_x * block_columns_)};
    auto* input = reinterpret_cast<float*>(scratch);
    float* product = input + input_floats_;
    float* padded = product + product_floats_;
    float* output = padded + padded_floats_;
    TransformInput(operands_.x(context) + image * geometry_.channels * geometry_.plane(), block, input,
                   padded);
    for (size_t row = 0; row < outputs_.count(); row += part_rows_) {
      const size_t rows = std::min(part_rows_, outputs_.count() - row);
      Multiply(row, rows, block, input, product);
      for (size_t r = 0; r < rows; ++r) {
        for (size_t i = 0; i < block.rows; ++i) {
          kernels_.winograd_output(product + r * lanes_ + i * block.columns, product_stride_, block.columns,
                                   output + (i * kTile * part_rows_ + r) * image_floats_,
                                   part_rows_ * image_floats_);
        }
      }
      outputs_.ForEachRun(row, rows, [&](const SelectedChannels::Run& run) {
        Finish(context, image, run, block, output + (run.first - row) * image_floats_);
      });
    }
    for (const SelectedChannels::Run& rest : outputs_.rest()) Finish(context, image, rest, block, nullptr);
  }

 private:
  struct Block {
    size_t row, rows, column, columns;  // in tiles
  };

  // Blocks of as many tiles as the second-level cache has room for, in whole strips of the kernel.
  void CutBlocks(size_t threads) {
    constexpr size_t kInputFloats = 96 * 1024;
    const WindowGeometry& g = geometry_;
    tile_rows_ = Ceil(g.out_height, kTile);
    tile_columns_ = Ceil(g.out_width, kTile);
    const size_t fitting = kInputFloats / kWinogradComponents / std::max<size_t>(inputs_.count(), 1);
    const size_t most = std::max(fitting / kStrip, size_t{1}) * kStrip;
    blocks_wide_ = std::max(Ceil(tile_columns_, most), size_t{1});
    block_columns_ = std::max(Ceil(tile_columns_, blocks_wide_), size_t{1});
    const size_t rows = std::max(most / block_columns_, size_t{1});
    const size_t wanted = threads > 1 ? Ceil(threads * 2, blocks_wide_ * std::max<size_t>(g.batch, 1)) : 1;
    blocks_high_ =
        std::min(std::max({Ceil(tile_rows_, rows), wanted, size_t{1}}), std::max<size_t>(tile_rows_, 1));
    block_rows_ = std::max(Ceil(tile_rows_, blocks_high_), size_t{1});
    blocks_high_ = Ceil(tile_rows_, block_rows_);
  }

  // x [channels, height, width] -> input [36, selected channels, lanes_]
  void TransformInput(const float* x, const Block& block, float* input, float* padded) const noexcept {
    for (size_t i = 0; i < inputs_.count(); ++i) {
      CopyPadded(x + inputs_[i] * geometry_.plane(), block, padded);
      for (size_t row = 0; row < block.rows; ++row) {
        kernels_.winograd_input(padded + row * kTile * row_floats_, row_floats_, block.columns,
                                input + i * lanes_ + row * block.columns, input_stride_);
      }
    }
  }

  // What the tiles of a block see of a plane, with zeros around it: [4 rows + 2, row_floats_].
  void CopyPadded(const float* plane, const Block& block, float* to) const noexcept {
    const WindowGeometry& g = geometry_;
    const auto first = static_cast<ptrdiff_t>(block.column * kTile) - static_cast<ptrdiff_t>(g.pad_left);
    const size_t before = first < 0 ? static_cast<size_t>(-first) : 0;
    const size_t from = first < 0 ? 0 : std::min(static_cast<size_t>(first), g.width);
    const RowCopy copy = {
        plane + from, g.width, g.width - from, kTile * block.rows + 2, to, row_floats_, 1, 0, row_floats_,
        before,       0.0f};
    CopyPaddedRows(kernels_, copy,
                   static_cast<ptrdiff_t>(block.row * kTile) - static_cast<ptrdiff_t>(g.pad_top), 1,
                   g.height);
  }

  // product [36, part_rows_, lanes_] of outputs [row, row + rows)
  void Multiply(size_t row, size_t rows, const Block& block, const float* input,
                float* product) const noexcept {
    static const Epilogue none = EpilogueOf(Activation{});
    const size_t channels = inputs_.count();
    const size_t value_bytes = weights_->storage() == Storage::kFloat16 ? 2 : 4;
    BlockMatrix u = weights_->block();
    const auto* values = static_cast<const uint8_t*>(u.values.data);
    u.rows = rows;
    for (size_t k = 0; k < kWinogradComponents; ++k) {
      u.values.data = values + (k * component_rows_ + row) * channels * value_bytes;
      const Panel panel = {input + k * input_stride_, panel_rows_.data(), lanes_};
      kernels_.panel_matmul_block16(u, 0, rows, panel, block.rows * block.columns,
                                    product + k * product_stride_, lanes_, none);
    }
  }

  // The image rows of a block, of a run of output channels, from [4 rows, part_rows_, image_floats_]; from
  // zeros where `output` is null.
  void Finish(const RunContext& context, size_t image, const SelectedChannels::Run& run, const Block& block,
              const float* output) const noexcept {
    const WindowGeometry& g = geometry_;
    const size_t width = std::min(block.columns * kTile, g.out_width - block.column * kTile);
    const size_t image_rows = std::min(block.rows * kTile, g.out_height - block.row * kTile);
    for (size_t i = 0; i < image_rows; ++i) {
      const size_t at = (image * g.out_channels + run.channel) * g.out_plane() +
                        (block.row * kTile + i) * g.out_width + block.column * kTile;
      float* y = operands_.y(context) + at;
      const Epilogue epilogue = operands_.EpilogueAt(context, run.channel, at);
      if (output == nullptr) {
        FinishZeros(kernels_, run.count, width, y, g.out_plane(), epilogue);
      } else {
        FinishRows(kernels_, output + i * part_rows_ * image_floats_, image_floats_, run.count, width, y,
                   g.out_plane(), epilogue);
      }
    }
  }

  const KernelTable& kernels_;
  const WindowGeometry geometry_;
  const ConvOperands operands_;
  const SelectedChannels inputs_, outputs_;
  std::shared_ptr<const PackedWeights> weights_;
  size_t component_rows_ = 0;  // rows of weights_ in each component
  size_t tile_rows_ = 0, tile_columns_ = 0;
  size_t blocks_high_ = 0, blocks_wide_ = 0;
  size_t block_rows_ = 0, block_columns_ = 0;  // tiles
  size_t part_rows_ = 0;
  size_t lanes_ = 0;                              // tiles of a block, and what the transforms write past them
  size_t row_floats_ = 0;                         // a padded row of the input under a block
  size_t image_floats_ = 0;                       // an image row of the outputs of a block
  size_t input_stride_ = 0, product_stride_ = 0;  // of the components
  size_t input_floats_ = 0, padded_floats_ = 0, product_floats_ = 0;
  std::vector<uint32_t> panel_rows_;
};

}  // namespace

std::unique_ptr<Step> MakeWinogradConv2d(const StepSpec& spec, const BuildContext& build) {
  return std::make_unique<WinogradConv2d>(spec, build);
}

}  // namespace espalier
