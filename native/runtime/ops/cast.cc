// y = x in another type, as ONNX Cast does: float to integer truncates, anything to bool is x != 0.

#include <cmath>
#include <limits>
#include <type_traits>

#include "runtime/ops/factories.h"

namespace espalier {
namespace {

template <typename From, typename To>
To Convert(From value) noexcept {
  if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    // Out of range is undefined in C++ and left open by ONNX: saturate, NaN to 0.
    if (std::isnan(value)) return To{0};
    if (value <= static_cast<From>(std::numeric_limits<To>::min())) return std::numeric_limits<To>::min();
    if (value >= static_cast<From>(std::numeric_limits<To>::max())) return std::numeric_limits<To>::max();
  }
  return static_cast<To>(value);
}

template <typename From>
void CastAll(const From* x, DType to, uint8_t* y, size_t n) noexcept {
  const auto loop = [&](auto* out) {
    using To = std::remove_pointer_t<decltype(out)>;
    for (size_t i = 0; i < n; ++i) out[i] = Convert<From, To>(x[i]);
  };
  switch (to) {
    case DType::kFloat32:
      return loop(reinterpret_cast<float*>(y));
    case DType::kFloat64:
      return loop(reinterpret_cast<double*>(y));
    case DType::kInt8:
      return loop(reinterpret_cast<int8_t*>(y));
    case DType::kUint8:
      return loop(y);
    case DType::kInt32:
      return loop(reinterpret_cast<int32_t*>(y));
    case DType::kInt64:
      return loop(reinterpret_cast<int64_t*>(y));
    case DType::kBool:
      for (size_t i = 0; i < n; ++i) y[i] = x[i] != From{0};
      return;
    default:
      return;  // refused when the step was built
  }
}

bool Castable(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
    case DType::kFloat64:
    case DType::kInt8:
    case DType::kUint8:
    case DType::kInt32:
    case DType::kInt64:
    case DType::kBool:
      return true;
    default:
      return false;
  }
}

class Cast final : public Step {
 public:
  Cast(const StepSpec& spec, const BuildContext& build) : Step(spec.name) {
    spec.Expect(spec.inputs.size() == 1 && spec.outputs.size() == 1, "one input and one output");
    from_ = spec.inputs[0].dtype;
    to_ = spec.outputs[0].dtype;
    spec.Expect(Castable(from_) && Castable(to_), "types that can be cast");
    spec.Expect(spec.inputs[0].Elements() == spec.outputs[0].Elements(), "as many elements out as in");
    x_ = build.resolve(spec.inputs[0]);
    y_ = build.resolve(spec.outputs[0]);
    split_ = SplitWork(spec.outputs[0].Elements(), 4096, build.threads);
    chunks_ = split_.parts;
  }

  void Run(const RunContext& context, size_t chunk, uint8_t*) const noexcept override {
    const size_t begin = split_.Begin(chunk);
    const size_t n = split_.End(chunk) - begin;
    const uint8_t* x = context.At<const uint8_t>(x_) + begin * SizeOf(from_);
    uint8_t* y = context.At<uint8_t>(y_) + begin * SizeOf(to_);
    switch (from_) {
      case DType::kFloat32:
        return CastAll(reinterpret_cast<const float*>(x), to_, y, n);
      case DType::kFloat64:
        return CastAll(reinterpret_cast<const double*>(x), to_, y, n);
      case DType::kInt8:
        return CastAll(reinterpret_cast<const int8_t*>(x), to_, y, n);
      case DType::kInt32:
        return CastAll(reinterpret_cast<const int32_t*>(x), to_, y, n);
      case DType::kInt64:
        return CastAll(reinterpret_cast<const int64_t*>(x), to_, y, n);
      default:
        return CastAll(x, to_, y, n);  // uint8, bool
    }
  }

 private:
  DType from_;
  DType to_;
  Split split_;
  Address x_, y_;
};

}  // namespace

std::unique_ptr<Step> MakeCast(const StepSpec& spec, const BuildContext& build) {
  return std::make_unique<Cast>(spec, build);
}

}  // namespace espalier
