#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "runtime/ops/activation.h"
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

// A packed matrix times a panel or a vector, by the kernels of its format, for the operators that have
// weights. Its rows are cut into parts, which threads can take, with about the same number of stored values
// in each.
class Product {
 public:
  // Fewer parts when the matrix has fewer rows than can be cut.
  Product(const KernelTable& kernels, std::shared_ptr<const PackedWeights> weights, size_t parts);

  const PackedWeights& weights() const { return *weights_; }
  size_t rows() const { return weights_->rows(); }
  size_t cols() const { return weights_->cols(); }
  size_t parts() const { return bounds_.size() - 1; }
  size_t row_begin(size_t part) const { return bounds_[part]; }
  size_t row_end(size_t part) const { return bounds_[part + 1]; }

  // Memory for sums, for panels up to `width` wide (any width where they are written as rows).
  size_t scratch_floats(size_t width) const;

  // out[row * out_stride + t] = epilogue(...) for the rows of a part. The panel is one that kernels may read
  // whole vectors of. `scratch` is 64-byte aligned.
  void ToRows(size_t part, const Panel& panel, size_t width, float* out, size_t out_stride,
              const Epilogue& epilogue, float* scratch) const noexcept;

  // The same for rows and columns that go to other places of `out`.
  void ToMappedRows(size_t part, const Panel& panel, size_t width, const OutputMap& map, float* out,
                    size_t out_stride, const Epilogue& epilogue, float* scratch) const noexcept;
  size_t mapped_scratch_floats(size_t width) const;

  // As ToRows, transposed: out[t * out_stride + row], and the residual likewise.
  void ToTokens(size_t part, const Panel& panel, size_t width, float* out, size_t out_stride,
                const Epilogue& epilogue, float* scratch) const noexcept;

  // One vector, followed by kVectorSlack readable floats.
  void Vector(size_t part, const float* x, float* y, const Epilogue& epilogue) const noexcept;
  static constexpr size_t kVectorSlack = 32;

 private:
  void DirectRows(size_t row_begin, size_t row_end, const Panel& panel, size_t width, float* out,
                  size_t out_stride, const Epilogue& epilogue) const noexcept;
  // finish(first row, rows, first token, width of the strip, sums, stride of the sums) for each piece of a
  // part, of `most_rows` rows at most where the format leaves the choice.
  template <typename Finish>
  void ForEachSum(size_t part, const Panel& panel, size_t width, size_t most_rows, float* sums,
                  const Finish& finish) const noexcept;

  const KernelTable& kernels_;
  std::shared_ptr<const PackedWeights> weights_;
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

// How the rows of a row-major matrix [tokens, k] are cut into tiles, each packed as a panel [k, tile.width]
// or narrower. A tile is what the kernels of the format take at once.
struct TokenTiles {
  size_t tokens;
  size_t unit;   // tokens in the pieces that tiles are made of
  size_t count;  // tiles
  size_t width;  // of the widest

  size_t Begin(size_t tile) const { return Pieces().Begin(tile) * unit; }
  size_t Width(size_t tile) const { return std::min(Pieces().End(tile) * unit, tokens) - Begin(tile); }

 private:
  Split Pieces() const { return Split{(tokens + unit - 1) / unit, count}; }
};
TokenTiles CutTokens(WeightFormat format, size_t tokens);

}  // namespace espalier
