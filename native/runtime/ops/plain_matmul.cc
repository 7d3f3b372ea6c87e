// y[b] [m, n] = a[b] [m, k] * b[b] [k, n] of any type but float32 (batch_matmul.cc, whose ints these are) and
// 16-bit floats; integers wrap around, so that sums of quantised products are exact.

#include <algorithm>

#include "runtime/ops/arithmetic.h"
#include "runtime/ops/batched_product.h"
#include "runtime/ops/factories.h"

namespace espalier {
namespace {

class PlainMatmul final : public BatchedProduct {
 public:
  PlainMatmul(const StepSpec& spec, const BuildContext& build)
      : BatchedProduct(spec, build), dtype_(spec.outputs[0].dtype) {
    spec.Expect(IsComputable(dtype_) && spec.inputs[0].dtype == dtype_ && spec.inputs[1].dtype == dtype_,
                "one type that is no 16-bit float");
    spec.Expect(spec.Int("transpose_a", 0) == 0 && spec.Int("transpose_b", 0) == 0, "row-major factors");
    const size_t products = std::max<size_t>(MultiplyAll({k_, n_}), 1);
    split_ = SplitWork(batch() * m_, std::max<size_t>(4096 / products, 1), build.threads);
    chunks_ = split_.parts;
  }

  void Run(const RunContext& context, size_t chunk, uint8_t*) const noexcept override {
    VisitType(dtype_, [&](auto zero) {
      using T = decltype(zero);
      for (size_t row = split_.Begin(chunk); row < split_.End(chunk); ++row) {
        const T* a = context.At<const T>(a_) + a_offsets_[row / m_] + row % m_ * k_;
        const T* b = context.At<const T>(b_) + b_offsets_[row / m_];
        T* y = context.At<T>(y_) + row * n_;
        std::fill_n(y, n_, T{0});
        for (size_t k = 0; k < k_; ++k, b += n_) {
          // NOLINTNEXTLINE(bugprone-signed-char-misuse): modulo a power of two the sign makes no difference
          const auto factor = static_cast<WrapType<T>>(a[k]);
          for (size_t j = 0; j < n_; ++j) {
            y[j] = static_cast<T>(static_cast<WrapType<T>>(y[j]) + factor * static_cast<WrapType<T>>(b[j]));
          }
        }
      }
    });
  }

 private:
  const DType dtype_;
  Split split_;
};

}  // namespace

std::unique_ptr<Step> MakePlainMatmul(const StepSpec& spec, const BuildContext& build) {
  return std::make_unique<PlainMatmul>(spec, build);
}

}  // namespace espalier
