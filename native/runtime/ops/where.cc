// y = condition ? a : b on broadcast operands. inputs: condition (bool), a, b of any type.
// ints: "dims" (the output's, collapsed), "condition_strides", "a_strides", "b_strides".

#include "runtime/ops/factories.h"
#include "runtime/ops/strided_rows.h"

namespace espalier {
namespace {

class Where final : public Step {
 public:
  Where(const StepSpec& spec, const BuildContext& build) : Step(spec.name), rows_(ReadRows(spec)) {
    spec.Expect(spec.inputs[0].dtype == DType::kBool, "a bool condition");
    spec.Expect(spec.inputs[1].dtype == spec.inputs[2].dtype && spec.inputs[1].dtype == spec.outputs[0].dtype,
                "operands and output of one type");
    spec.Expect(rows_.elements() == spec.outputs[0].Elements(), "an output of these dims");
    element_bytes_ = SizeOf(spec.outputs[0].dtype);
    condition_ = build.resolve(spec.inputs[0]);
    a_ = build.resolve(spec.inputs[1]);
    b_ = build.resolve(spec.inputs[2]);
    y_ = build.resolve(spec.outputs[0]);
    split_ = SplitRows(rows_.rows(), rows_.row_length(), build.threads);
    chunks_ = split_.parts;
  }

  void Run(const RunContext& context, size_t chunk, uint8_t*) const noexcept override {
    uint8_t* y = context.At<uint8_t>(y_) + split_.Begin(chunk) * rows_.row_length() * element_bytes_;
    rows_.ForEach(split_.Begin(chunk), split_.End(chunk), [&](const StridedRows<3>::Offsets& offsets) {
      const auto bytes = static_cast<ptrdiff_t>(element_bytes_);
      const uint8_t* condition = context.At<const uint8_t>(condition_) + offsets[0];
      const uint8_t* a = context.At<const uint8_t>(a_) + offsets[1] * bytes;
      const uint8_t* b = context.At<const uint8_t>(b_) + offsets[2] * bytes;
      for (size_t i = 0; i < rows_.row_length(); ++i, y += element_bytes_) {
        std::memcpy(y, *condition ? a : b, element_bytes_);
        condition += rows_.row_stride(0);
        a += rows_.row_stride(1) * bytes;
        b += rows_.row_stride(2) * bytes;
      }
    });
  }

 private:
  static StridedRows<3> ReadRows(const StepSpec& spec) {
    spec.Expect(spec.inputs.size() == 3 && spec.outputs.size() == 1, "three inputs and one output");
    return ReadStridedRows<3>(
        spec, {"condition_strides", "a_strides", "b_strides"},
        {spec.inputs[0].Elements(), spec.inputs[1].Elements(), spec.inputs[2].Elements()}, {0, 0, 0});
  }

  const StridedRows<3> rows_;
  size_t element_bytes_ = 0;
  Split split_;
  Address condition_, a_, b_, y_;
};

}  // namespace

std::unique_ptr<Step> MakeWhere(const StepSpec& spec, const BuildContext& build) {
  return std::make_unique<Where>(spec, build);
}

}  // namespace espalier
