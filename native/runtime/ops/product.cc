#include "runtime/ops/product.h"

#include <algorithm>
#include <limits>

#include "runtime/ops/selected_channels.h"

namespace espalier {
namespace {

// Up to as many tokens a kernel with lanes along the outputs wastes none; with more, lanes along the tokens
// are faster, since weights are broadcast less often.
constexpr size_t kFewTokens = 24;

// Rows of sums that are finished together where they stay rows: few, so that wide ones stay in the
// first-level cache.
constexpr size_t kMappedRows = 32;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr Epilogue kNoEpilogue = {nullptr,   nullptr,        nullptr, 0,   -kInfinity,
                                  kInfinity, UnaryOp::kCopy, 0.0f,    0.0f};

// Rows that a part must be a multiple of.
size_t RowUnit(const PackedWeights& weights) {
  return weights.format() == WeightFormat::kSell ? weights.shape().chunk_rows : 16;
}

// Stored blocks before row `row`, a multiple of RowUnit.
size_t StoredBefore(const PackedWeights& weights, size_t row) {
  switch (weights.format()) {
    case WeightFormat::kDense:
      return row;
    case WeightFormat::kCsr:
      return weights.csr().offsets[row];
    case WeightFormat::kSell: {
      const SellMatrix w = weights.sell();
      return w.starts[row / w.chunk_rows * ((w.cols + w.block_cols - 1) / w.block_cols)];
    }
    case WeightFormat::kEll:
      return weights.ell().offsets[row / 16];
    default:
      return weights.block().offsets[row / BlockRows(weights.format())];
  }
}

std::vector<size_t> BalancedRows(const PackedWeights& weights, size_t parts) {
  const size_t unit = RowUnit(weights);
  const size_t units = (weights.rows() + unit - 1) / unit;
  parts = std::max<size_t>(std::min(parts, units), 1);
  // Every unit costs something, even when nothing is stored in it.
  const auto cost = [&](size_t row) { return StoredBefore(weights, row) + row; };
  const size_t total = cost((units - 1) * unit) * units / std::max<size_t>(units - 1, 1);
  std::vector<size_t> bounds = {0};
  for (size_t i = 1, row = 0; i < parts; ++i) {
    const size_t most = (units - (parts - i)) * unit;  // leaves one unit for each part to come
    row += unit;
    while (row < most && cost(row) < total * i / parts) row += unit;
    bounds.push_back(row);
  }
  bounds.push_back(weights.rows());
  return bounds;
}

// What is left of an epilogue once the activation is applied to whole rows: a call for each few vectors would
// cost as much as the function.
Epilogue WithoutActivation(Epilogue epilogue) {
  epilogue.activation = UnaryOp::kCopy;
  return epilogue;
}

void ActivateRows(const KernelTable& kernels, const Epilogue& e, float* out, size_t stride, size_t rows,
                  size_t width) noexcept {
  if (e.activation == UnaryOp::kCopy) return;
  if (stride == width) return kernels.unary(e.activation, e.alpha, e.beta, out, out, rows * width);
  for (size_t row = 0; row < rows; ++row, out += stride)
    kernels.unary(e.activation, e.alpha, e.beta, out, out, width);
}

// Finishes sums that become rows of `out` from `row` on, columns from `t` on.
void FinishAt(const KernelTable& kernels, const float* sums, size_t stride, size_t rows, size_t width,
              float* out, size_t out_stride, size_t row, size_t t, const Epilogue& epilogue) noexcept {
  Epilogue e = AtRow(epilogue, row, epilogue.residual_stride);
  if (e.residual != nullptr) e.residual += t;
  FinishRows(kernels, sums, stride, rows, width, out + row * out_stride + t, out_stride, e);
}

}  // namespace

Product::Product(const KernelTable& kernels, std::shared_ptr<const PackedWeights> weights, size_t parts,
                 size_t columns, size_t panels)
    : kernels_(kernels),
      weights_(std::move(weights)),
      blocks_(*weights_, columns, panels),
      bounds_(BalancedRows(*weights_, parts)) {}

size_t Product::SumFloats(size_t width, size_t most_rows) const {
  constexpr size_t kSlack = 16;  // the last vector may begin anywhere
  const size_t rows = weights_->format() == WeightFormat::kSell ? blocks_.rows() : most_rows;
  return rows * RoundUp(std::min(width, blocks_.columns()), 16) + kSlack;
}

size_t Product::rows_scratch_floats(size_t width) const {
  return weights_->format() == WeightFormat::kSell ? SumFloats(width, 0) : 0;
}

size_t Product::mapped_scratch_floats(size_t width) const { return SumFloats(width, kMappedRows); }

size_t Product::tokens_scratch_floats(size_t width) const { return SumFloats(width, blocks_.rows()); }

void Product::DirectRows(size_t row_begin, size_t row_end, size_t depth, const Panel& panel, size_t width,
                         float* out, size_t out_stride, const Epilogue& epilogue) const noexcept {
  const WeightFormat format = weights_->format();
  if (format == WeightFormat::kCsr) {
    return kernels_.panel_matmul_csr(weights_->csr(), row_begin, row_end, panel, width, out, out_stride,
                                     epilogue);
  }
  PanelBlockMatmul kernel = kernels_.panel_matmul_block16;
  if (format == WeightFormat::kBlock8) kernel = kernels_.panel_matmul_block8;
  if (format == WeightFormat::kBlock4) kernel = kernels_.panel_matmul_block4;
  kernel(blocks_.Blocks(depth), row_begin, row_end, panel, width, out, out_stride, epilogue);
}

void Product::AddDepth(size_t row_begin, size_t row_end, size_t depth, const Panel& panel, size_t width,
                       float* sums, size_t stride) const noexcept {
  if (weights_->format() == WeightFormat::kSell) {
    return kernels_.panel_matmul_sell(weights_->sell(), row_begin / blocks_.rows(), blocks_.SellBegin(depth),
                                      blocks_.SellEnd(depth), panel, width, sums, stride);
  }
  Epilogue epilogue = kNoEpilogue;
  float* const row_zero = sums - row_begin * stride;
  if (depth > 0) {
    epilogue.residual = row_zero;
    epilogue.residual_stride = stride;
  }
  DirectRows(row_begin, row_end, depth, panel, width, row_zero, stride, epilogue);
}

template <typename Finish>
void Product::ForEachSum(size_t part, const Panels& panels, size_t most_rows, float* sums,
                         const Finish& finish) const noexcept {
  const size_t rows = weights_->format() == WeightFormat::kSell ? blocks_.rows() : most_rows;
  for (size_t from = 0, width = 0; from < panels.width; from += width) {
    width = std::min(blocks_.columns(), panels.width - from);
    const size_t stride = RoundUp(width, 16);
    for (size_t row = row_begin(part); row < row_end(part); row += rows) {
      const size_t end = std::min(row + rows, row_end(part));
      for (size_t depth = 0; depth < blocks_.depths(); ++depth) {
        panels.ForEach(from, width, [&](const Panel& panel, size_t t, size_t count) {
          AddDepth(row, end, depth, panel, count, sums + t - from, stride);
        });
      }
      finish(row, end - row, from, width, sums, stride);
    }
  }
}

void Product::ToRows(size_t part, const Panel& panel, size_t width, float* out, size_t out_stride,
                     const Epilogue& epilogue, float* scratch) const noexcept {
  if (weights_->format() != WeightFormat::kSell) {
    // With an activation few rows at a time, which are still in cache when it comes.
    const size_t most = epilogue.activation == UnaryOp::kCopy ? rows() : kMappedRows;
    for (size_t row = row_begin(part); row < row_end(part); row += most) {
      const size_t end = std::min(row + most, row_end(part));
      DirectRows(row, end, 0, panel, width, out, out_stride, WithoutActivation(epilogue));
      ActivateRows(kernels_, epilogue, out + row * out_stride, out_stride, end - row, width);
    }
    return;
  }
  ForEachSum(part, Panels::Of(panel, width), 0, scratch,
             [&](size_t row, size_t rows, size_t t, size_t columns, const float* sums, size_t stride) {
               FinishAt(kernels_, sums, stride, rows, columns, out, out_stride, row, t, epilogue);
             });
}

void Product::ToMappedRows(size_t part, const Panel& panel, size_t width, const OutputMap& map, float* out,
                           size_t out_stride, const Epilogue& epilogue, float* scratch) const noexcept {
  ForEachSum(part, Panels::Of(panel, width), kMappedRows, scratch,
             [&](size_t row, size_t rows, size_t t, size_t columns, const float* sums, size_t stride) {
               map.rows.ForEachRun(row, rows, [&](const SelectedChannels::Run& run) {
                 const float* from = sums + (run.first - row) * stride;
                 map.columns.ForEach(t, columns, [&](size_t column, size_t to, size_t count) {
                   FinishAt(kernels_, from + column - t, stride, run.count, count, out, out_stride,
                            run.channel, to, epilogue);
                 });
               });
             });
}

void Product::ToTokens(size_t part, const Panels& panels, float* out, size_t out_stride,
                       const Epilogue& epilogue, float* scratch) const noexcept {
  const WeightFormat format = weights_->format();
  if (panels.width <= kFewTokens && (format == WeightFormat::kDense || format == WeightFormat::kBlock16)) {
    return kernels_.token_matmul_block16(weights_->block(), row_begin(part), row_end(part), panels.first,
                                         panels.width, out, out_stride, epilogue);
  }
  ForEachSum(part, panels, blocks_.rows(), scratch,
             [&](size_t row, size_t rows, size_t t, size_t columns, const float* sums, size_t stride) {
               Epilogue e = AtRow(epilogue, row, 1);
               if (e.residual != nullptr) e.residual += t * e.residual_stride;
               kernels_.finish_transposed(sums, stride, rows, columns, out + t * out_stride + row, out_stride,
                                          e);
             });
}

void Product::ToPanels(size_t part, const Panels& panels, float* out, size_t out_step,
                       const Epilogue& epilogue, float* scratch) const noexcept {
  const size_t tile = panels.tile;
  if (weights_->format() != WeightFormat::kSell && blocks_.depths() == 1) {
    const size_t most = epilogue.activation == UnaryOp::kCopy ? blocks_.rows() : kMappedRows;
    for (size_t row = row_begin(part); row < row_end(part); row += most) {
      const size_t end = std::min(row + most, row_end(part));
      panels.ForEach(0, panels.width, [&](const Panel& panel, size_t t, size_t columns) {
        float* const to = out + t / tile * out_step;
        DirectRows(row, end, 0, panel, columns, to, tile, WithoutActivation(epilogue));
        ActivateRows(kernels_, epilogue, to + row * tile, tile, end - row, columns);
      });
    }
    return;
  }
  ForEachSum(part, panels, blocks_.rows(), scratch,
             [&](size_t row, size_t rows, size_t from, size_t width, const float* sums, size_t stride) {
               panels.ForEach(from, width, [&](const Panel&, size_t t, size_t columns) {
                 FinishRows(kernels_, sums + t - from, stride, rows, columns,
                            out + t / tile * out_step + row * tile + t % tile, tile, AtRow(epilogue, row, 0));
               });
             });
}

void Product::Vector(size_t part, const float* x, float* y, const Epilogue& epilogue) const noexcept {
  const size_t begin = row_begin(part);
  const size_t end = row_end(part);
  switch (weights_->format()) {
    case WeightFormat::kDense:
    case WeightFormat::kBlock16:
      return kernels_.gemv_block16(weights_->block(), begin, end, x, y, epilogue);
    case WeightFormat::kBlock8:
      return kernels_.gemv_block8(weights_->block(), begin, end, x, y, epilogue);
    case WeightFormat::kBlock4:
      return kernels_.gemv_block4(weights_->block(), begin, end, x, y, epilogue);
    case WeightFormat::kCsr:
      return kernels_.gemv_csr(weights_->csr(), begin, end, x, y, epilogue);
    case WeightFormat::kEll:
      return kernels_.gemv_ell(weights_->ell(), begin, end, x, y, epilogue);
    case WeightFormat::kSell:
      return;  // has no kernel for a vector, see the factories
  }
}

void FinishRows(const KernelTable& kernels, const float* sums, size_t sums_stride, size_t rows, size_t width,
                float* out, size_t out_stride, const Epilogue& epilogue) noexcept {
  kernels.finish_rows(sums, sums_stride, rows, width, out, out_stride, WithoutActivation(epilogue));
  ActivateRows(kernels, epilogue, out, out_stride, rows, width);
}

Epilogue EpilogueOf(const Activation& activation) {
  Epilogue epilogue = kNoEpilogue;
  epilogue.lo = activation.lo;
  epilogue.hi = activation.hi;
  epilogue.activation = activation.op;
  epilogue.alpha = activation.alpha;
  epilogue.beta = activation.beta;
  return epilogue;
}

Epilogue AtRow(Epilogue epilogue, size_t row, size_t residual_step) {
  if (epilogue.scale != nullptr) epilogue.scale += row;
  if (epilogue.bias != nullptr) epilogue.bias += row;
  if (epilogue.residual != nullptr) epilogue.residual += row * residual_step;
  return epilogue;
}

std::vector<uint32_t> PanelRows(size_t rows, size_t stride) {
  std::vector<uint32_t> starts(rows);
  for (size_t k = 0; k < rows; ++k) starts[k] = static_cast<uint32_t>(k * stride);
  return starts;
}

size_t PanelWidth(size_t k, size_t columns) {
  constexpr size_t kStep = 48;
  constexpr size_t kPanelBytes = 256 * 1024;
  constexpr size_t kLeastSteps = 2;
  const size_t most =
      std::max(kPanelBytes / sizeof(float) / std::max<size_t>(k, 1) / kStep, kLeastSteps) * kStep;
  const size_t panels = std::max<size_t>((columns + most - 1) / most, 1);
  return std::max(RoundUp((columns + panels - 1) / panels, kStep), kStep);
}

TokenTiles CutTokens(size_t tokens, size_t width) {
  return TokenTiles{tokens, std::max<size_t>((tokens + width - 1) / width, 1), width};
}

TokenTiles CutTokens(WeightFormat format, size_t tokens) {
  constexpr size_t kUnit = 16;
  if (tokens <= kFewTokens && (format == WeightFormat::kDense || format == WeightFormat::kBlock16)) {
    return CutTokens(tokens, std::max<size_t>(RoundUp(tokens, 4), 1));
  }
  // Units of a tile: as many tokens as kernels take at once.
  const size_t most = format == WeightFormat::kSell || format == WeightFormat::kBlock4 ? 4 : 3;
  const size_t units = std::max<size_t>((tokens + kUnit - 1) / kUnit, 1);
  const size_t tiles = (units + most - 1) / most;
  return CutTokens(tokens, (units + tiles - 1) / tiles * kUnit);
}

}  // namespace espalier
