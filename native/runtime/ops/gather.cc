// y [outer, count, inner] = x [outer, axis, inner] at run-time indices [count] (int32 or int64, negative from
// the end). ints: "outer", "axis", "inner". An index outside the axis fails the run.

#include <cstring>

#include "runtime/ops/factories.h"

namespace espalier {
namespace {

class Gather final : public Step {
 public:
  Gather(const StepSpec& spec, const BuildContext& build)
      : Step(spec.name), outer_(spec.Size("outer")), axis_(spec.Size("axis")), inner_(spec.Size("inner")) {
    spec.Expect(spec.inputs.size() == 2 && spec.outputs.size() == 1, "data, indices and one output");
    const DType index_type = spec.inputs[1].dtype;
    spec.Expect(index_type == DType::kInt32 || index_type == DType::kInt64, "int32 or int64 indices");
    spec.Expect(spec.inputs[0].dtype == spec.outputs[0].dtype, "input and output of one type");
    wide_ = index_type == DType::kInt64;
    count_ = spec.inputs[1].Elements();
    spec.Expect(spec.inputs[0].Elements() == MultiplyAll({outer_, axis_, inner_}),
                "data [outer, axis, inner]");
    spec.Expect(spec.outputs[0].Elements() == MultiplyAll({outer_, count_, inner_}),
                "an output [outer, count, inner]");
    x_ = build.resolve(spec.inputs[0]);
    indices_ = build.resolve(spec.inputs[1]);
    y_ = build.resolve(spec.outputs[0]);
    row_bytes_ = inner_ * SizeOf(spec.outputs[0].dtype);
  }

  void Run(const RunContext& context, size_t, uint8_t*) const noexcept override {
    const uint8_t* x = context.At<const uint8_t>(x_);
    uint8_t* y = context.At<uint8_t>(y_);
    const auto axis = static_cast<int64_t>(axis_);
    for (size_t i = 0; i < count_; ++i) {
      int64_t index = wide_ ? context.At<const int64_t>(indices_)[i] : context.At<const int32_t>(indices_)[i];
      if (index < 0) index += axis;
      if (index < 0 || index >= axis) return Fail(context, "expected indices inside the gathered axis");
      for (size_t o = 0; o < outer_; ++o) {
        std::memcpy(y + (o * count_ + i) * row_bytes_,
                    x + (o * axis_ + static_cast<size_t>(index)) * row_bytes_, row_bytes_);
      }
    }
  }

 private:
  const size_t outer_, axis_, inner_;
  size_t count_ = 0;
  size_t row_bytes_ = 0;
  bool wide_ = false;
  Address x_, indices_, y_;
};

}  // namespace

std::unique_ptr<Step> MakeGather(const StepSpec& spec, const BuildContext& build) {
  return std::make_unique<Gather>(spec, build);
}

}  // namespace espalier
