#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "runtime/ops/activation.h"
#include "runtime/ops/weight_blocks.h"
#include "runtime/step.h"

namespace espalier {

class SelectedChannels;

// Which columns of a panel become columns of an output: those of line i, [i * stride, i * stride + width),
// become [i * width, (i + 1) * width). All of them when stride is 0.
struct ColumnLines {
  size_t stride = 0;
  size_t width = 0;

  // Columns of the output that `columns` columns of the panel become; the last of these ends a line.
  size_t Kept(size_t columns) const {
    return stride == 0 ? columns : ((columns - width) / stride + 1) * width;
  }
  // visit(column of the panel, column of the output, how many) for what is kept of [begin, begin + count).
  template <typename Visit>
  void ForEach(size_t begin, size_t count, const Visit& visit) const noexcept {
    if (stride == 0) return visit(begin, begin, count);
    for (size_t line = begin / stride; line * stride < begin + count; ++line) {
      const size_t first = std::max(begin, line * stride);
      const size_t last = std::min(begin + count, line * stride + width);
      if (first < last) visit(first, line * width + first - line * stride, last - first);
    }
  }
};

// Where the rows and columns of a product go, when these are not all rows and columns of the output.
struct OutputMap {
  const SelectedChannels& rows;
  ColumnLines columns;
};

// The right-hand side of a product in one or more panels, whose columns follow one another: column t is
// column t % tile of panel t / tile, and panel i starts at first.data + i * step.
struct Panels {
  Panel first;
  size_t width;  // of all together
  size_t tile;   // of each but the last, a multiple of 16
  size_t step;   // floats

  static Panels Of(const Panel& panel, size_t width) { return {panel, width, std::max<size_t>(width, 1), 0}; }

  // visit(panel, first column, columns) for the pieces of [begin, begin + count).
  template <typename Visit>
  void ForEach(size_t begin, size_t count, const Visit& visit) const noexcept {
    for (size_t t = begin; t < begin + count;) {
      const size_t inside = t % tile;
      const size_t columns = std::min(tile - inside, begin + count - t);
      visit(Panel{first.data + t / tile * step + inside, first.rows, first.stride}, t, columns);
      t += columns;
    }
  }
};

// A packed matrix times a panel or a vector, by the kernels of its format, for the operators that have
// weights. Its rows are cut into parts, which threads can take, with about the same number of stored values
// in each.
class Product {
 public:
  // Fewer parts when the matrix has fewer rows than can be cut. `columns` and `panels`: how wide a product
  // ToTokens will be asked for, and in how many panels.
  Product(const KernelTable& kernels, std::shared_ptr<const PackedWeights> weights, size_t parts,
          size_t columns = 0, size_t panels = 1);

  const PackedWeights& weights() const { return *weights_; }
  size_t rows() const { return weights_->rows(); }
  size_t cols() const { return weights_->cols(); }
  size_t parts() const { return bounds_.size() - 1; }
  size_t row_begin(size_t part) const { return bounds_[part]; }
  size_t row_end(size_t part) const { return bounds_[part + 1]; }

  // Memory for sums, for panels up to `width` wide together: of ToRows, ToMappedRows, and both ToTokens and
  // ToPanels.
  size_t rows_scratch_floats(size_t width) const;
  size_t mapped_scratch_floats(size_t width) const;
  size_t tokens_scratch_floats(size_t width) const;

  // out[row * out_stride + t] = epilogue(...) for the rows of a part. The panel is one that kernels may read
  // whole vectors of. `scratch` is 64-byte aligned.
  void ToRows(size_t part, const Panel& panel, size_t width, float* out, size_t out_stride,
              const Epilogue& epilogue, float* scratch) const noexcept;

  // The same for rows and columns that go to other places of `out`.
  void ToMappedRows(size_t part, const Panel& panel, size_t width, const OutputMap& map, float* out,
                    size_t out_stride, const Epilogue& epilogue, float* scratch) const noexcept;

  // As ToRows, transposed: out[t * out_stride + row], and the residual likewise.
  void ToTokens(size_t part, const Panels& panels, float* out, size_t out_stride, const Epilogue& epilogue,
                float* scratch) const noexcept;

  // As ToRows, in panels as they come in: out[t / tile * out_step + row * tile + t % tile]. There is no
  // residual.
  void ToPanels(size_t part, const Panels& panels, float* out, size_t out_step, const Epilogue& epilogue,
                float* scratch) const noexcept;

  // One vector, followed by kVectorSlack readable floats.
  void Vector(size_t part, const float* x, float* y, const Epilogue& epilogue) const noexcept;
  static constexpr size_t kVectorSlack = 32;

 private:
  // Rows of a format but SELL, from a range of the columns.
  void DirectRows(size_t row_begin, size_t row_end, size_t depth, const Panel& panel, size_t width,
                  float* out, size_t out_stride, const Epilogue& epilogue) const noexcept;
  // Adds what a range of columns gives to the sums of some rows; the first range starts them.
  void AddDepth(size_t row_begin, size_t row_end, size_t depth, const Panel& panel, size_t width, float* sums,
                size_t stride) const noexcept;
  size_t SumFloats(size_t width, size_t most_rows) const;
  // finish(first row, rows, first column, columns, sums, stride of the sums) for each piece of a part, of
  // `most_rows` rows at most where the format leaves the choice.
  template <typename Finish>
  void ForEachSum(size_t part, const Panels& panels, size_t most_rows, float* sums,
                  const Finish& finish) const noexcept;

  const KernelTable& kernels_;
  std::shared_ptr<const PackedWeights> weights_;
  WeightBlocks blocks_;
  std::vector<size_t> bounds_;  // [parts + 1], rows
};

// The kernel finish_rows, with the activation applied to whole rows.
void FinishRows(const KernelTable& kernels, const float* sums, size_t sums_stride, size_t rows, size_t width,
                float* out, size_t out_stride, const Epilogue& epilogue) noexcept;

// An epilogue of the activation alone; bias, scale and residual are the caller's to add.
Epilogue EpilogueOf(const Activation& activation);

// The epilogue as rows from `row` on see it; `residual_step` is what one row is in the residual.
Epilogue AtRow(Epilogue epilogue, size_t row, size_t residual_step);

// Floats past a panel that a kernel may read.
inline constexpr size_t kPanelSlack = 64;

// Where the rows of a plain panel [rows, stride] start.
std::vector<uint32_t> PanelRows(size_t rows, size_t stride);

// How many of `columns` columns to pack at a time into a panel [k, width] for kernels with lanes along them:
// a multiple of 48 (three AVX-512 vectors, six AVX2 ones), so that the columns split into equal panels. What
// must stay in the second-level cache is one strip of it (48 columns); a wider panel packs in longer runs.
size_t PanelWidth(size_t k, size_t columns);

// How the rows of a row-major matrix [tokens, k] are cut into tiles, each packed as a panel [k, width]. A
// tile is what the kernels of the format take at once.
struct TokenTiles {
  size_t tokens;
  size_t count;
  size_t width;  // of all but the last

  size_t Begin(size_t tile) const { return std::min(tile * width, tokens); }
  size_t Width(size_t tile) const { return Begin(tile + 1) - Begin(tile); }
};
// In tiles of a given width, or of what suits a format.
TokenTiles CutTokens(size_t tokens, size_t width);
TokenTiles CutTokens(WeightFormat format, size_t tokens);

}  // namespace espalier
