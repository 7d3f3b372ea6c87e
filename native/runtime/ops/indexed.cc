// Rows of a tensor at run-time positions. For each index vector i below "dims", a tuple of indices (int32 or
// int64, negative ones count from the end) names the row that starts at
//   sum i * "base_strides" + sum tuple * "index_strides"
// and is "inner" elements long. Indices stand in the order of i; each must be inside "index_sizes".
// "gather_at": inputs the tensor, indices; the rows one after another are the output.
// "scatter_at": inputs rows (updates) one after another, indices; the output, which holds a copy of the data
// already, gets the rows; int "reduction" is a BinaryOp that combines them with what is there, or -1.

#include <cstring>

#include "runtime/ops/arithmetic.h"
#include "runtime/ops/factories.h"

namespace espalier {
namespace {

class IndexedRows : public Step {
 protected:
  IndexedRows(const StepSpec& spec, const BuildContext& build, const TensorRef& tensor)
      : Step(spec.name),
        dims_(spec.Sizes("dims")),
        base_strides_(spec.Sizes("base_strides")),
        sizes_(spec.Sizes("index_sizes")),
        strides_(spec.Sizes("index_strides")),
        inner_(spec.Size("inner")) {
    const DType index_type = spec.inputs[1].dtype;
    spec.Expect(index_type == DType::kInt32 || index_type == DType::kInt64, "int32 or int64 indices");
    wide_ = index_type == DType::kInt64;
    spec.Expect(base_strides_.size() == dims_.size() && strides_.size() == sizes_.size(),
                "a stride for each dim and each index");
    size_t end = inner_;
    count_ = 1;
    for (size_t d = 0; d < dims_.size(); ++d) {
      count_ = MultiplySizes(count_, dims_[d]);
      if (dims_[d] > 0) end = AddSizes(end, MultiplySizes(dims_[d] - 1, base_strides_[d]));
    }
    for (size_t k = 0; k < sizes_.size(); ++k) {
      if (sizes_[k] > 0) end = AddSizes(end, MultiplySizes(sizes_[k] - 1, strides_[k]));
    }
    spec.Expect(count_ == 0 || end <= tensor.Elements(), "rows inside the tensor");
    spec.Expect(spec.inputs[1].Elements() == MultiplySizes(count_, sizes_.size()), "an index for each size");
    indices_ = build.resolve(spec.inputs[1]);
    element_bytes_ = SizeOf(tensor.dtype);
  }

  // Calls visit(row, offset) for every row, offset in elements; false when an index is outside its size.
  template <typename Visit>
  bool ForEach(const RunContext& context, Visit visit) const noexcept {
    for (size_t row = 0; row < count_; ++row) {
      size_t offset = 0;
      size_t rest = row;
      for (size_t d = dims_.size(); d-- > 0; rest /= dims_[d]) offset += rest % dims_[d] * base_strides_[d];
      for (size_t k = 0; k < sizes_.size(); ++k) {
        const size_t at = row * sizes_.size() + k;
        const auto size = static_cast<int64_t>(sizes_[k]);
        int64_t index =
            wide_ ? context.At<const int64_t>(indices_)[at] : context.At<const int32_t>(indices_)[at];
        if (index < 0) index += size;
        if (index < 0 || index >= size) {
          Fail(context, "expected indices inside the axes that they index");
          return false;
        }
        offset += static_cast<size_t>(index) * strides_[k];
      }
      visit(row, offset);
    }
    return true;
  }

  const std::vector<size_t> dims_, base_strides_, sizes_, strides_;
  const size_t inner_;
  size_t count_ = 0;
  size_t element_bytes_ = 0;
  bool wide_ = false;
  Address indices_;
};

class GatherAt final : public IndexedRows {
 public:
  GatherAt(const StepSpec& spec, const BuildContext& build) : IndexedRows(spec, build, spec.inputs[0]) {
    spec.Expect(spec.outputs[0].dtype == spec.inputs[0].dtype, "input and output of one type");
    spec.Expect(spec.outputs[0].Elements() == MultiplySizes(count_, inner_), "an output of all rows");
    x_ = build.resolve(spec.inputs[0]);
    y_ = build.resolve(spec.outputs[0]);
  }

  void Run(const RunContext& context, size_t, uint8_t*) const noexcept override {
    const size_t bytes = inner_ * element_bytes_;
    const uint8_t* x = context.At<const uint8_t>(x_);
    uint8_t* y = context.At<uint8_t>(y_);
    ForEach(context, [&](size_t row, size_t offset) {
      std::memcpy(y + row * bytes, x + offset * element_bytes_, bytes);
    });
  }

 private:
  Address x_, y_;
};

class ScatterAt final : public IndexedRows {
 public:
  ScatterAt(const StepSpec& spec, const BuildContext& build)
      : IndexedRows(spec, build, spec.outputs[0]), reduction_(spec.Int("reduction", -1)) {
    dtype_ = spec.outputs[0].dtype;
    spec.Expect(spec.inputs[0].dtype == dtype_, "updates of the output's type");
    spec.Expect(spec.inputs[0].Elements() == MultiplySizes(count_, inner_), "updates for all rows");
    spec.Expect(reduction_ >= -1 && reduction_ < static_cast<int64_t>(BinaryOp::kCount), "a reduction");
    spec.Expect(reduction_ == -1 || IsComputable(dtype_), "a type that can be reduced");
    updates_ = build.resolve(spec.inputs[0]);
    y_ = build.resolve(spec.outputs[0]);
  }

  // One chunk: rows may be named twice, and then the order counts.
  void Run(const RunContext& context, size_t, uint8_t*) const noexcept override {
    if (reduction_ == -1) {
      const size_t bytes = inner_ * element_bytes_;
      ForEach(context, [&](size_t row, size_t offset) {
        std::memcpy(context.At<uint8_t>(y_) + offset * element_bytes_,
                    context.At<const uint8_t>(updates_) + row * bytes, bytes);
      });
      return;
    }
    VisitType(dtype_, [&](auto zero) {
      using T = decltype(zero);
      ForEach(context, [&](size_t row, size_t offset) {
        const T* update = context.At<const T>(updates_) + row * inner_;
        T* y = context.At<T>(y_) + offset;
        for (size_t i = 0; i < inner_; ++i) {
          y[i] = Apply(static_cast<BinaryOp>(reduction_), y[i], update[i]);
        }
      });
    });
  }

 private:
  const int64_t reduction_;
  DType dtype_ = DType::kFloat32;
  Address updates_, y_;
};

void CheckCounts(const StepSpec& spec) {
  spec.Expect(spec.inputs.size() == 2 && spec.outputs.size() == 1, "two inputs and one output");
}

}  // namespace

std::unique_ptr<Step> MakeGatherAt(const StepSpec& spec, const BuildContext& build) {
  CheckCounts(spec);
  return std::make_unique<GatherAt>(spec, build);
}

std::unique_ptr<Step> MakeScatterAt(const StepSpec& spec, const BuildContext& build) {
  CheckCounts(spec);
  return std::make_unique<ScatterAt>(spec, build);
}

}  // namespace espalier
