#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "runtime/step.h"

namespace espalier {

// Splits rows of `length` elements over threads.
inline Split SplitRows(size_t rows, size_t length, size_t threads) {
  constexpr size_t kGrain = 4096;  // elements worth another thread
  return SplitWork(rows, std::max<size_t>(kGrain / std::max<size_t>(length, 1), 1), threads);
}

// Visits the rows (innermost dimension) of `Operands` tensors that are read or written with strides of their
// own over common dims: broadcasting is stride 0, slicing and transposing any other.
template <size_t Operands>
class StridedRows {
 public:
  using Offsets = std::array<ptrdiff_t, Operands>;

  // strides[i] has one stride per dim, in elements; dims has at least one entry.
  StridedRows(std::vector<size_t> dims, std::array<std::vector<int64_t>, Operands> strides)
      : dims_(std::move(dims)), strides_(std::move(strides)) {
    for (size_t d = 0; d + 1 < dims_.size(); ++d) rows_ = MultiplySizes(rows_, dims_[d]);
  }

  size_t rows() const { return rows_; }
  size_t elements() const { return MultiplySizes(rows_, dims_.back()); }
  size_t row_length() const { return dims_.back(); }
  ptrdiff_t row_stride(size_t operand) const { return static_cast<ptrdiff_t>(strides_[operand].back()); }

  // Calls visit(offsets) for rows [begin, end): where each operand's row starts.
  template <typename Visit>
  void ForEach(size_t begin, size_t end, Visit visit) const noexcept {
    for (size_t row = begin; row < end; ++row) {
      Offsets offsets{};
      size_t rest = row;
      for (size_t d = dims_.size() - 1; d-- > 0;) {
        const auto index = static_cast<ptrdiff_t>(rest % dims_[d]);
        rest /= dims_[d];
        for (size_t i = 0; i < Operands; ++i) offsets[i] += index * static_cast<ptrdiff_t>(strides_[i][d]);
      }
      visit(offsets);
    }
  }

 private:
  std::vector<size_t> dims_;
  std::array<std::vector<int64_t>, Operands> strides_;
  size_t rows_ = 1;
};

// Reads ints "dims" and one of `keys` per operand, and checks that no operand leaves its tensor:
// `elements[i]` elements, walked from element `starts[i]`.
template <size_t Operands>
StridedRows<Operands> ReadStridedRows(const StepSpec& spec, const std::array<const char*, Operands>& keys,
                                      const std::array<size_t, Operands>& elements,
                                      const std::array<int64_t, Operands>& starts) {
  std::vector<size_t> dims = spec.Sizes("dims");
  spec.Expect(!dims.empty(), "at least one dim");
  std::array<std::vector<int64_t>, Operands> strides;
  bool empty = false;
  for (size_t dim : dims) empty = empty || dim == 0;
  for (size_t i = 0; i < Operands; ++i) {
    strides[i] = spec.Ints(keys[i], dims.size());
    int64_t lowest = starts[i];
    int64_t highest = starts[i];
    for (size_t d = 0; d < dims.size() && !empty; ++d) {
      if (dims[d] == 1) strides[i][d] = 0;  // it is never walked, whatever it was
      int64_t reach;
      int64_t* end = strides[i][d] < 0 ? &lowest : &highest;
      const bool fits = !__builtin_mul_overflow(strides[i][d], dims[d] - 1, &reach) &&
                        !__builtin_add_overflow(*end, reach, end);
      spec.Expect(fits, std::string(keys[i]) + " that fit");
    }
    spec.Expect(empty || (lowest >= 0 && highest < static_cast<int64_t>(elements[i])),
                std::string(keys[i]) + " that stay inside the tensor");
  }
  return StridedRows<Operands>(std::move(dims), std::move(strides));
}

}  // namespace espalier
