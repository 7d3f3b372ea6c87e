// y = x in another type, as ONNX Cast does: float to integer truncates, anything to bool is x != 0.

#include <cmath>
#include <limits>
#include <type_traits>

#include "core/half.h"
#include "runtime/ops/element_types.h"
#include "runtime/ops/factories.h"

namespace espalier {
namespace {

// 16-bit floats and bool have types of their own here: those they are stored as mean numbers.
struct Half {
  uint16_t bits;
};
struct Bfloat {
  uint16_t bits;
};
struct Bool {
  uint8_t value;
};

template <typename To, typename From>
To Convert(From value) noexcept {
  if constexpr (std::is_same_v<From, Half>) {
    return Convert<To>(HalfToFloat(value.bits));
  } else if constexpr (std::is_same_v<From, Bfloat>) {
    return Convert<To>(BfloatToFloat(value.bits));
  } else if constexpr (std::is_same_v<From, Bool>) {
    return Convert<To>(value.value);
  } else if constexpr (std::is_same_v<To, Half>) {
    return Half{FloatToHalf(static_cast<float>(value))};
  } else if constexpr (std::is_same_v<To, Bfloat>) {
    return Bfloat{FloatToBfloat(static_cast<float>(value))};
  } else if constexpr (std::is_same_v<To, Bool>) {
    return Bool{static_cast<uint8_t>(value != From{0})};
  } else {
    if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
      // Out of range is undefined in C++ and left open by ONNX: saturate, NaN to 0.
      if (std::isnan(value)) return To{0};
      if (value <= static_cast<From>(std::numeric_limits<To>::min())) return std::numeric_limits<To>::min();
      if (value >= static_cast<From>(std::numeric_limits<To>::max())) return std::numeric_limits<To>::max();
    }
    return static_cast<To>(value);
  }
}

template <typename Visit>
void VisitStored(DType dtype, Visit&& visit) noexcept {
  if (dtype == DType::kFloat16) return visit(Half{});
  if (dtype == DType::kBfloat16) return visit(Bfloat{});
  if (dtype == DType::kBool) return visit(Bool{});
  VisitType(dtype, visit);
}

class Cast final : public Step {
 public:
  Cast(const StepSpec& spec, const BuildContext& build) : Step(spec.name) {
    spec.Expect(spec.inputs.size() == 1 && spec.outputs.size() == 1, "one input and one output");
    from_ = spec.inputs[0].dtype;
    to_ = spec.outputs[0].dtype;
    spec.Expect(spec.inputs[0].Elements() == spec.outputs[0].Elements(), "as many elements out as in");
    x_ = build.resolve(spec.inputs[0]);
    y_ = build.resolve(spec.outputs[0]);
    split_ = SplitWork(spec.outputs[0].Elements(), 4096, build.threads);
    chunks_ = split_.parts;
  }

  void Run(const RunContext& context, size_t chunk, uint8_t*) const noexcept override {
    VisitStored(from_, [&](auto from) {
      const auto* x = context.At<const decltype(from)>(x_);
      VisitStored(to_, [&](auto to) {
        using To = decltype(to);
        To* y = context.At<To>(y_);
        for (size_t i = split_.Begin(chunk); i < split_.End(chunk); ++i) y[i] = Convert<To>(x[i]);
      });
    });
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
