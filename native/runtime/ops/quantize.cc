// "quantize": y = saturate(round(x / scale) + zero), x float32, y int8, uint8, int16 or uint16; round half to
// even. "dequantize": y = (x - zero) * scale, x an integer, y float32. scale (float32) and zero (of the
// integers' type, or left out) are [axis] in x [outer, axis, inner]. ints: "outer", "axis", "inner".

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/ops/element_types.h"
#include "runtime/ops/factories.h"

namespace espalier {
namespace {

template <typename T>
T Quantized(float x, float scale, T zero) noexcept {
  using Limits = std::numeric_limits<T>;
  const float value = std::nearbyint(x / scale) + static_cast<float>(zero);
  if (!(value > static_cast<float>(Limits::min()))) return Limits::min();  // NaN too
  return value >= static_cast<float>(Limits::max()) ? Limits::max() : static_cast<T>(value);
}

// The difference of two integers as a float; that of 8 and 16 bits is exact.
template <typename T>
float Dequantized(T x, float scale, T zero) noexcept {
  if constexpr (sizeof(T) < 4)
    return static_cast<float>(static_cast<int32_t>(x) - static_cast<int32_t>(zero)) * scale;
  return static_cast<float>(static_cast<T>(static_cast<WrapType<T>>(x) - static_cast<WrapType<T>>(zero))) *
         scale;
}

class Quantize final : public Step {
 public:
  Quantize(const StepSpec& spec, const BuildContext& build, bool forward)
      : Step(spec.name),
        forward_(forward),
        axis_(spec.Size("axis")),
        inner_(spec.Size("inner")),
        has_zero_(spec.inputs.size() == 3) {
    spec.Expect((spec.inputs.size() == 2 || has_zero_) && spec.outputs.size() == 1, "x, scale and zero");
    const TensorRef& floats = forward ? spec.inputs[0] : spec.outputs[0];
    dtype_ = forward ? spec.outputs[0].dtype : spec.inputs[0].dtype;
    spec.Expect(floats.dtype == DType::kFloat32 && spec.inputs[1].dtype == DType::kFloat32,
                "float32 on the other side and as scale");
    const bool small = SizeOf(dtype_) < 4 && IsComputable(dtype_) && dtype_ != DType::kBool;
    spec.Expect(small || (!forward && dtype_ == DType::kInt32), "8, 16 or 32-bit integers");
    const size_t elements = MultiplyAll({spec.Size("outer"), axis_, inner_});
    spec.Expect(spec.inputs[0].Elements() == elements && spec.outputs[0].Elements() == elements,
                "x and y [outer, axis, inner]");
    spec.Expect(spec.inputs[1].Elements() == axis_, "a scale [axis]");
    if (has_zero_) {
      spec.Expect(spec.inputs[2].dtype == dtype_ && spec.inputs[2].Elements() == axis_, "zero [axis]");
      zero_ = build.resolve(spec.inputs[2]);
    }
    x_ = build.resolve(spec.inputs[0]);
    scale_ = build.resolve(spec.inputs[1]);
    y_ = build.resolve(spec.outputs[0]);
    const size_t rows = inner_ == 0 ? 0 : elements / inner_;
    split_ = SplitWork(rows, std::max<size_t>(4096 / std::max<size_t>(inner_, 1), 1), build.threads);
    chunks_ = split_.parts;
  }

  void Run(const RunContext& context, size_t chunk, uint8_t*) const noexcept override {
    VisitType(dtype_, [&](auto none) {
      using T = decltype(none);
      if constexpr (std::is_integral_v<T>) RunRows<T>(context, chunk);
    });
  }

 private:
  template <typename T>
  void RunRows(const RunContext& context, size_t chunk) const noexcept {
    for (size_t row = split_.Begin(chunk); row < split_.End(chunk); ++row) {
      const float scale = context.At<const float>(scale_)[row % axis_];
      const T zero = has_zero_ ? context.At<const T>(zero_)[row % axis_] : T{0};
      const size_t begin = row * inner_;
      for (size_t i = begin; i < begin + inner_; ++i) {
        if (forward_) {
          context.At<T>(y_)[i] = Quantized<T>(context.At<const float>(x_)[i], scale, zero);
        } else {
          context.At<float>(y_)[i] = Dequantized<T>(context.At<const T>(x_)[i], scale, zero);
        }
      }
    }
  }

  const bool forward_;
  const size_t axis_, inner_;
  const bool has_zero_;
  DType dtype_ = DType::kUint8;
  Split split_;
  Address x_, scale_, zero_, y_;
};

}  // namespace

std::unique_ptr<Step> MakeQuantize(const StepSpec& spec, const BuildContext& build) {
  return std::make_unique<Quantize>(spec, build, true);
}

std::unique_ptr<Step> MakeDequantize(const StepSpec& spec, const BuildContext& build) {
  return std::make_unique<Quantize>(spec, build, false);
}

}  // namespace espalier
