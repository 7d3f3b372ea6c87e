// Elementwise operators on broadcast operands: y = op(a, b), y = condition ? a : b.
// ints: "dims" (the output's, collapsed), "a_strides", "b_strides", "condition_strides"; "op".

#include <algorithm>
#include <type_traits>

#include "runtime/ops/factories.h"
#include "runtime/ops/strided_rows.h"

namespace espalier {
namespace {

constexpr size_t kGrain = 4096;  // elements worth another thread

enum class CompareOp : int64_t {
  kEqual = 0,
  kLess,
  kGreater,
  kLessOrEqual,
  kGreaterOrEqual,
  kAnd,
  kOr,
  kXor,
  kCount
};

// Splits rows of `length` over threads.
Split SplitRows(size_t rows, size_t length, size_t threads) {
  return SplitWork(rows, std::max<size_t>(kGrain / std::max<size_t>(length, 1), 1), threads);
}

// a to the power of b, which wraps on overflow; a fraction is 0.
template <typename T>
T Power(T a, T b) noexcept {
  using U = std::make_unsigned_t<T>;
  if (b < 0) return a == 1 ? T{1} : a == T(-1) ? static_cast<T>(b % 2 == 0 ? 1 : -1) : T{0};
  U power = 1;
  for (U square = static_cast<U>(a); b != 0; square *= square, b /= 2) power *= b % 2 == 0 ? U{1} : square;
  return static_cast<T>(power);
}

template <typename T>
T Apply(BinaryOp op, T a, T b) noexcept {
  using U = std::make_unsigned_t<T>;  // wraps on overflow
  switch (op) {
    case BinaryOp::kAdd:
      return static_cast<T>(static_cast<U>(a) + static_cast<U>(b));
    case BinaryOp::kSub:
      return static_cast<T>(static_cast<U>(a) - static_cast<U>(b));
    case BinaryOp::kMul:
      return static_cast<T>(static_cast<U>(a) * static_cast<U>(b));
    case BinaryOp::kDiv:
      return b == 0 ? T{0} : (b == T(-1) ? static_cast<T>(U{0} - static_cast<U>(a)) : static_cast<T>(a / b));
    case BinaryOp::kMin:
      return a < b ? a : b;
    case BinaryOp::kMax:
      return a > b ? a : b;
    case BinaryOp::kPow:
      return Power(a, b);
    case BinaryOp::kPRelu:
      return a < 0 ? static_cast<T>(static_cast<U>(a) * static_cast<U>(b)) : a;
    case BinaryOp::kCount:
      break;
  }
  return T{0};
}

template <typename T>
bool Compare(CompareOp op, T a, T b) noexcept {
  switch (op) {
    case CompareOp::kEqual:
      return a == b;
    case CompareOp::kLess:
      return a < b;
    case CompareOp::kGreater:
      return a > b;
    case CompareOp::kLessOrEqual:
      return a <= b;
    case CompareOp::kGreaterOrEqual:
      return a >= b;
    case CompareOp::kAnd:
      return a != T{0} && b != T{0};
    case CompareOp::kOr:
      return a != T{0} || b != T{0};
    default:
      return (a != T{0}) != (b != T{0});
  }
}

// Two operands, a row at a time.
class TwoOperands : public Step {
 protected:
  TwoOperands(const StepSpec& spec, const BuildContext& build)
      : Step(spec.name), rows_(ReadRows(spec)), dtype_(spec.inputs[0].dtype) {
    spec.Expect(spec.inputs[1].dtype == dtype_, "operands of one type");
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
    spec.Expect(op_ >= BinaryOp::kAdd && op_ < BinaryOp::kCount, "a binary operator");
    spec.Expect(dtype_ == DType::kFloat32 || dtype_ == DType::kInt32 || dtype_ == DType::kInt64,
                "float32, int32 or int64");
    spec.Expect(spec.outputs[0].dtype == dtype_, "an output of the operands' type");
    const auto unit = [&](size_t i) { return rows_.row_stride(i) == 0 || rows_.row_stride(i) == 1; };
    spec.Expect(dtype_ != DType::kFloat32 || (unit(0) && unit(1)), "rows that are contiguous or one value");
  }

  void Run(const RunContext& context, size_t chunk, uint8_t*) const noexcept override {
    if (dtype_ == DType::kInt32) {
      return RunRows<int32_t, int32_t>(context, chunk,
                                       [this](int32_t a, int32_t b) { return Apply(op_, a, b); });
    }
    if (dtype_ == DType::kInt64) {
      return RunRows<int64_t, int64_t>(context, chunk,
                                       [this](int64_t a, int64_t b) { return Apply(op_, a, b); });
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
};

class CompareStep final : public TwoOperands {
 public:
  CompareStep(const StepSpec& spec, const BuildContext& build)
      : TwoOperands(spec, build), op_(static_cast<CompareOp>(spec.Int("op"))) {
    spec.Expect(op_ >= CompareOp::kEqual && op_ < CompareOp::kCount, "a comparison");
    spec.Expect(spec.outputs[0].dtype == DType::kBool, "a bool output");
    spec.Expect(dtype_ == DType::kFloat32 || dtype_ == DType::kInt32 || dtype_ == DType::kInt64 ||
                    dtype_ == DType::kBool,
                "float32, int32, int64 or bool");
  }

  void Run(const RunContext& context, size_t chunk, uint8_t*) const noexcept override {
    const auto operation = [this](auto a, auto b) { return static_cast<uint8_t>(Compare(op_, a, b)); };
    switch (dtype_) {
      case DType::kFloat32:
        return RunRows<float, uint8_t>(context, chunk, operation);
      case DType::kInt32:
        return RunRows<int32_t, uint8_t>(context, chunk, operation);
      case DType::kInt64:
        return RunRows<int64_t, uint8_t>(context, chunk, operation);
      default:
        return RunRows<uint8_t, uint8_t>(context, chunk, operation);
    }
  }

 private:
  const CompareOp op_;
};

// inputs: condition (bool), a, b of any type.
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

std::unique_ptr<Step> MakeBinary(const StepSpec& spec, const BuildContext& build) {
  return std::make_unique<Binary>(spec, build);
}

std::unique_ptr<Step> MakeCompare(const StepSpec& spec, const BuildContext& build) {
  return std::make_unique<CompareStep>(spec, build);
}

std::unique_ptr<Step> MakeWhere(const StepSpec& spec, const BuildContext& build) {
  return std::make_unique<Where>(spec, build);
}

}  // namespace espalier
