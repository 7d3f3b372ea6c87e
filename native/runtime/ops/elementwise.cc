// Elementwise operators on broadcast operands: y = op(a, b), of any type but 16-bit floats.
// ints: "dims" (the output's, collapsed), "a_strides", "b_strides"; "op" (a BinaryOp or PlainBinaryOp, or a
// CompareOp for "compare").

#include "runtime/ops/arithmetic.h"
#include "runtime/ops/factories.h"
#include "runtime/ops/strided_rows.h"

namespace espalier {
namespace {

// Two operands, a row at a time.
class TwoOperands : public Step {
 protected:
  TwoOperands(const StepSpec& spec, const BuildContext& build)
      : Step(spec.name), rows_(ReadRows(spec)), dtype_(spec.inputs[0].dtype) {
    spec.Expect(spec.inputs[1].dtype == dtype_, "operands of one type");
    spec.Expect(IsComputable(dtype_), "operands that are no 16-bit floats");
    spec.Expect(rows_.elements() == spec.outputs[0].Elements(), "an output of these dims");
    a_ = build.resolve(spec.inputs[0]);
    b_ = build.resolve(spec.inputs[1]);
    y_ = build.resolve(spec.outputs[0]);
    split_ = SplitRows(rows_.rows(), rows_.row_length(), build.threads);
    chunks_ = split_.parts;
  }

  template <typename T, typename Out, typename Operation>
  void RunRows(const RunContext& context, size_t chunk, Operation operation) const noexcept {
    const ptrdiff_t a_stride = rows_.row_stride(0);
    const ptrdiff_t b_stride = rows_.row_stride(1);
    Out* y = context.At<Out>(y_) + split_.Begin(chunk) * rows_.row_length();
    rows_.ForEach(split_.Begin(chunk), split_.End(chunk), [&](const StridedRows<2>::Offsets& offsets) {
      const T* a = context.At<const T>(a_) + offsets[0];
      const T* b = context.At<const T>(b_) + offsets[1];
      for (size_t i = 0; i < rows_.row_length(); ++i, a += a_stride, b += b_stride) *y++ = operation(*a, *b);
    });
  }

  const StridedRows<2> rows_;
  const DType dtype_;
  Split split_;
  Address a_, b_, y_;

 private:
  static StridedRows<2> ReadRows(const StepSpec& spec) {
    spec.Expect(spec.inputs.size() == 2 && spec.outputs.size() == 1, "two inputs and one output");
    return ReadStridedRows<2>(spec, {"a_strides", "b_strides"},
                              {spec.inputs[0].Elements(), spec.inputs[1].Elements()}, {0, 0});
  }
};

class Binary final : public TwoOperands {
 public:
  Binary(const StepSpec& spec, const BuildContext& build)
      : TwoOperands(spec, build), kernels_(build.kernels), op_(static_cast<BinaryOp>(spec.Int("op"))) {
    const auto code = static_cast<int32_t>(op_);
    spec.Expect(code >= 0 && code < static_cast<int32_t>(PlainBinaryOp::kCount), "a binary operator");
    has_kernel_ = dtype_ == DType::kFloat32 && op_ < BinaryOp::kCount;
    const bool is_float = dtype_ == DType::kFloat32 || dtype_ == DType::kFloat64;
    spec.Expect(!is_float || code < static_cast<int32_t>(PlainBinaryOp::kShiftLeft), "integers");
    spec.Expect(spec.outputs[0].dtype == dtype_, "an output of the operands' type");
    const auto unit = [&](size_t i) { return rows_.row_stride(i) == 0 || rows_.row_stride(i) == 1; };
    spec.Expect(!has_kernel_ || (unit(0) && unit(1)), "rows that are contiguous or one value");
  }

  void Run(const RunContext& context, size_t chunk, uint8_t*) const noexcept override {
    if (!has_kernel_) {
      return VisitType(dtype_, [&](auto zero) {
        using T = decltype(zero);
        RunRows<T, T>(context, chunk, [op = op_](T a, T b) { return Apply(op, a, b); });
      });
    }
    const size_t length = rows_.row_length();
    float* y = context.At<float>(y_) + split_.Begin(chunk) * length;
    rows_.ForEach(split_.Begin(chunk), split_.End(chunk), [&](const StridedRows<2>::Offsets& offsets) {
      kernels_.binary(op_, context.At<const float>(a_) + offsets[0], static_cast<int>(rows_.row_stride(0)),
                      context.At<const float>(b_) + offsets[1], static_cast<int>(rows_.row_stride(1)), y,
                      length);
      y += length;
    });
  }

 private:
  const KernelTable& kernels_;
  const BinaryOp op_;
  bool has_kernel_ = false;
};

class CompareStep final : public TwoOperands {
 public:
  CompareStep(const StepSpec& spec, const BuildContext& build)
      : TwoOperands(spec, build), op_(static_cast<CompareOp>(spec.Int("op"))) {
    spec.Expect(op_ >= CompareOp::kEqual && op_ < CompareOp::kCount, "a comparison");
    spec.Expect(spec.outputs[0].dtype == DType::kBool, "a bool output");
  }

  void Run(const RunContext& context, size_t chunk, uint8_t*) const noexcept override {
    VisitType(dtype_, [&](auto zero) {
      using T = decltype(zero);
      RunRows<T, uint8_t>(context, chunk,
                          [op = op_](T a, T b) { return static_cast<uint8_t>(Compare(op, a, b)); });
    });
  }

 private:
  const CompareOp op_;
};

}  // namespace

std::unique_ptr<Step> MakeBinary(const StepSpec& spec, const BuildContext& build) {
  return std::make_unique<Binary>(spec, build);
}

std::unique_ptr<Step> MakeCompare(const StepSpec& spec, const BuildContext& build) {
  return std::make_unique<CompareStep>(spec, build);
}

}  // namespace espalier
