// Every operator that only moves elements: transpose, slice, concat, split, expand, pad, tile. One strided
// copy: for all index vectors i below "dims": y["y_start" + sum i * y_strides] = x["x_start" + sum i *
// x_strides]. And "fill": every element of the output becomes the one-element input.

#include <algorithm>

#include "runtime/ops/factories.h"
#include "runtime/ops/strided_rows.h"

namespace espalier {
namespace {

// Merges neighbouring dims that both sides walk without a gap, and drops dims of one.
StepSpec Collapse(const StepSpec& spec) {
  std::vector<int64_t> dims;
  std::vector<int64_t> x_strides;
  std::vector<int64_t> y_strides;
  const std::vector<size_t> all = spec.Sizes("dims");
  const std::vector<int64_t>& x = spec.Ints("x_strides", all.size());
  const std::vector<int64_t>& y = spec.Ints("y_strides", all.size());
  for (size_t d = 0; d < all.size(); ++d) {
    const auto dim = static_cast<int64_t>(all[d]);
    if (dim == 1) continue;
    if (!dims.empty() && x_strides.back() == x[d] * dim && y_strides.back() == y[d] * dim) {
      dims.back() *= dim;
      x_strides.back() = x[d];
      y_strides.back() = y[d];
    } else {
      dims.push_back(dim);
      x_strides.push_back(x[d]);
      y_strides.push_back(y[d]);
    }
  }
  if (dims.empty()) {
    dims = {1};
    x_strides = y_strides = {1};
  }
  StepSpec collapsed = spec;
  collapsed.ints["dims"] = dims;
  collapsed.ints["x_strides"] = x_strides;
  collapsed.ints["y_strides"] = y_strides;
  return collapsed;
}

// With a transposed pair of innermost dims, swap another dim into the last-but-one place so that x is
// contiguous along it: the copy is then a run of plane transposes.
bool MakeTransposable(StepSpec* spec) {
  std::vector<int64_t>& dims = spec->ints["dims"];
  std::vector<int64_t>& x = spec->ints["x_strides"];
  std::vector<int64_t>& y = spec->ints["y_strides"];
  const size_t last = dims.size() - 1;
  if (dims.size() < 2 || y[last] != 1 || x[last] <= 1) return false;
  for (size_t d = 0; d < last; ++d) {
    if (x[d] != 1 || y[d] < 1) continue;
    std::swap(dims[d], dims[last - 1]);
    std::swap(x[d], x[last - 1]);
    std::swap(y[d], y[last - 1]);
    return true;
  }
  return false;
}

template <typename T>
void CopyRow(const uint8_t* x, ptrdiff_t x_stride, uint8_t* y, ptrdiff_t y_stride, size_t n) noexcept {
  const T* from = reinterpret_cast<const T*>(x);
  T* to = reinterpret_cast<T*>(y);
  for (size_t i = 0; i < n; ++i, from += x_stride, to += y_stride) *to = *from;
}

class Copy final : public Step {
 public:
  Copy(const StepSpec& original, const BuildContext& build) : Copy(Prepare(original), original, build) {}

  void Run(const RunContext& context, size_t chunk, uint8_t*) const noexcept override {
    const uint8_t* x = context.At<const uint8_t>(x_);
    uint8_t* y = context.At<uint8_t>(y_);
    const auto bytes = static_cast<ptrdiff_t>(element_bytes_);
    if (transposed_) {
      planes_.ForEach(split_.Begin(chunk), split_.End(chunk), [&](const StridedRows<2>::Offsets& offsets) {
        kernels_.transpose(reinterpret_cast<const float*>(x) + offsets[0], plane_x_stride_, plane_rows_,
                           plane_cols_, reinterpret_cast<float*>(y) + offsets[1], plane_y_stride_);
      });
      return;
    }
    const ptrdiff_t x_stride = rows_.row_stride(0);
    const ptrdiff_t y_stride = rows_.row_stride(1);
    const size_t length = rows_.row_length();
    rows_.ForEach(split_.Begin(chunk), split_.End(chunk), [&](const StridedRows<2>::Offsets& offsets) {
      const uint8_t* from = x + offsets[0] * bytes;
      uint8_t* to = y + offsets[1] * bytes;
      if (x_stride == 1 && y_stride == 1) {
        if (to == from) return;  // a cache that the caller gave as input and as output
        std::memcpy(to, from, length * element_bytes_);
        return;
      }
      switch (element_bytes_) {
        case 1:
          return CopyRow<uint8_t>(from, x_stride, to, y_stride, length);
        case 2:
          return CopyRow<uint16_t>(from, x_stride, to, y_stride, length);
        case 4:
          return CopyRow<uint32_t>(from, x_stride, to, y_stride, length);
        default:
          return CopyRow<uint64_t>(from, x_stride, to, y_stride, length);
      }
    });
  }

 private:
  struct Prepared {
    StepSpec spec;
    bool transposed;
  };

  static Prepared Prepare(const StepSpec& original) {
    // Checked first: Collapse multiplies dims and strides.
    const size_t elements = ReadRows(original).elements();
    original.Expect(elements <= original.outputs[0].Elements(), "an output with room for these dims");
    if (elements == 0) return Prepared{original, false};
    Prepared prepared{Collapse(original), false};
    const bool words = SizeOf(original.inputs[0].dtype) == sizeof(float);
    prepared.transposed = words && MakeTransposable(&prepared.spec);
    return prepared;
  }

  static StridedRows<2> ReadRows(const StepSpec& spec) {
    spec.Expect(spec.inputs.size() == 1 && spec.outputs.size() == 1, "one input and one output");
    spec.Expect(spec.inputs[0].dtype == spec.outputs[0].dtype, "input and output of one type");
    return ReadStridedRows<2>(spec, {"x_strides", "y_strides"},
                              {spec.inputs[0].Elements(), spec.outputs[0].Elements()},
                              {spec.Int("x_start", 0), spec.Int("y_start", 0)});
  }

  // The outer dims of a copy whose last two are one transposed plane.
  static StridedRows<2> OuterRows(const StepSpec& spec) {
    std::array<std::vector<int64_t>, 2> strides{spec.ints.at("x_strides"), spec.ints.at("y_strides")};
    std::vector<size_t> dims = spec.Sizes("dims");
    if (dims.size() < 2) return StridedRows<2>({1}, {std::vector<int64_t>{0}, std::vector<int64_t>{0}});
    dims.pop_back();
    dims.back() = 1;
    for (auto& side : strides) side.pop_back();
    return StridedRows<2>(std::move(dims), std::move(strides));
  }

  Copy(const Prepared& prepared, const StepSpec& original, const BuildContext& build)
      : Step(original.name),
        kernels_(build.kernels),
        rows_(ReadRows(prepared.spec)),
        planes_(OuterRows(prepared.spec)),
        transposed_(prepared.transposed),
        element_bytes_(SizeOf(original.inputs[0].dtype)) {
    const StepSpec& spec = prepared.spec;
    const size_t elements = rows_.elements();
    const auto shifted = [&](const TensorRef& tensor, const char* start) {
      Address address = build.resolve(tensor);
      if (elements != 0) address.offset += static_cast<size_t>(spec.Int(start, 0)) * element_bytes_;
      return address;
    };
    x_ = shifted(spec.inputs[0], "x_start");
    y_ = shifted(spec.outputs[0], "y_start");
    size_t pieces = rows_.rows();
    if (transposed_) {
      const std::vector<size_t> dims = spec.Sizes("dims");
      const size_t last = dims.size() - 1;
      plane_rows_ = dims[last];
      plane_cols_ = dims[last - 1];
      plane_x_stride_ = static_cast<size_t>(spec.ints.at("x_strides")[last]);
      plane_y_stride_ = static_cast<size_t>(spec.ints.at("y_strides")[last - 1]);
      pieces = planes_.rows();
    }
    if (elements == 0) pieces = 0;
    const size_t per_piece = pieces == 0 ? 1 : elements / pieces;
    split_ = SplitWork(pieces, std::max<size_t>(16384 / std::max<size_t>(per_piece, 1), 1), build.threads);
    chunks_ = split_.parts;
  }

  const KernelTable& kernels_;
  const StridedRows<2> rows_;
  const StridedRows<2> planes_;
  const bool transposed_;
  const size_t element_bytes_;
  size_t plane_rows_ = 0;  // of x
  size_t plane_cols_ = 0;
  size_t plane_x_stride_ = 0;
  size_t plane_y_stride_ = 0;
  Split split_;
  Address x_, y_;
};

class Fill final : public Step {
 public:
  Fill(const StepSpec& spec, const BuildContext& build) : Step(spec.name) {
    spec.Expect(spec.inputs.size() == 1 && spec.outputs.size() == 1 && spec.inputs[0].Elements() == 1,
                "one value and one output");
    spec.Expect(spec.inputs[0].dtype == spec.outputs[0].dtype, "input and output of one type");
    element_bytes_ = SizeOf(spec.outputs[0].dtype);
    elements_ = spec.outputs[0].Elements();
    x_ = build.resolve(spec.inputs[0]);
    y_ = build.resolve(spec.outputs[0]);
  }

  void Run(const RunContext& context, size_t, uint8_t*) const noexcept override {
    switch (element_bytes_) {
      case 1:
        return FillAll<uint8_t>(context);
      case 2:
        return FillAll<uint16_t>(context);
      case 4:
        return FillAll<uint32_t>(context);
      default:
        return FillAll<uint64_t>(context);
    }
  }

 private:
  template <typename T>
  void FillAll(const RunContext& context) const noexcept {
    std::fill_n(context.At<T>(y_), elements_, *context.At<const T>(x_));
  }

  size_t element_bytes_ = 0;
  size_t elements_ = 0;
  Address x_, y_;
};

}  // namespace

std::unique_ptr<Step> MakeCopy(const StepSpec& spec, const BuildContext& build) {
  return std::make_unique<Copy>(spec, build);
}

std::unique_ptr<Step> MakeFill(const StepSpec& spec, const BuildContext& build) {
  return std::make_unique<Fill>(spec, build);
}

}  // namespace espalier
