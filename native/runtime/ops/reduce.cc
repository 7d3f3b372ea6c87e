// y [outer, inner] = fold over n of x [outer, n, inner], then y = post(scale * y).
// ints: "outer", "n", "inner", "op" (ReduceOp), "post" (UnaryOp); floats: "scale".

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/ops/activation.h"
#include "runtime/ops/factories.h"

namespace espalier {
namespace {

float Identity(ReduceOp op) {
  switch (op) {
    case ReduceOp::kMax:
      return -std::numeric_limits<float>::infinity();
    case ReduceOp::kMin:
      return std::numeric_limits<float>::infinity();
    case ReduceOp::kProd:
      return 1.0f;
    default:
      return 0.0f;
  }
}

class Reduce final : public Step {
 public:
  Reduce(const StepSpec& spec, const BuildContext& build)
      : Step(spec.name),
        kernels_(build.kernels),
        op_(static_cast<ReduceOp>(spec.Int("op"))),
        post_(ReadUnaryOp(spec, "post", UnaryOp::kCopy)),
        scale_(static_cast<float>(spec.Float("scale", 1))),
        outer_(spec.Size("outer")),
        n_(spec.Size("n")),
        inner_(spec.Size("inner")) {
    spec.Expect(spec.inputs.size() == 1 && spec.outputs.size() == 1, "one input and one output");
    spec.Expect(op_ >= ReduceOp::kSum && op_ < ReduceOp::kCount, "a reduction");
    spec.ExpectFloat32();
    spec.Expect(spec.inputs[0].Elements() == MultiplyAll({outer_, n_, inner_}), "x [outer, n, inner]");
    spec.Expect(spec.outputs[0].Elements() == MultiplyAll({outer_, inner_}), "an output [outer, inner]");
    x_ = build.resolve(spec.inputs[0]);
    y_ = build.resolve(spec.outputs[0]);
    split_ = SplitWork(outer_, std::max<size_t>(4096 / std::max<size_t>(n_ * inner_, 1), 1), build.threads);
    chunks_ = split_.parts;
    if (inner_ != 1) scratch_bytes_ = MultiplySizes(inner_, sizeof(float));
    if (HasShortRows()) scratch_bytes_ = n_ * kRows * sizeof(float);
  }

  void Run(const RunContext& context, size_t chunk, uint8_t* scratch) const noexcept override {
    const size_t begin = split_.Begin(chunk);
    const size_t end = split_.End(chunk);
    const size_t step = HasShortRows() ? kRows : 1;
    for (size_t o = begin; o < end; o += step) {
      const float* x = context.At<const float>(x_) + o * n_ * inner_;
      float* y = context.At<float>(y_) + o * inner_;
      if (HasShortRows()) {
        FoldShortRows(x, std::min(end - o, kRows), y, reinterpret_cast<float*>(scratch));
      } else if (inner_ == 1) {
        FoldRow(x, y);
      } else {
        FoldRows(x, y, reinterpret_cast<float*>(scratch));
      }
    }
    float* y = context.At<float>(y_) + begin * inner_;
    const size_t count = (end - begin) * inner_;
    if (scale_ != 1.0f) kernels_.unary(UnaryOp::kAffine, scale_, 0.0f, y, y, count);
    if (post_ != UnaryOp::kCopy) kernels_.unary(post_, 0.0f, 0.0f, y, y, count);
  }

 private:
  // Long sums lose a digit for every tenfold of terms: blocks of them are summed apart, and then their sums.
  static constexpr size_t kBlock = 512;

  // Folding the lanes of one vector takes longer than a short row is worth: so many rows are turned, and
  // folded side by side.
  static constexpr size_t kRows = 16;
  static constexpr size_t kShortRow = 32;
  bool HasShortRows() const noexcept { return inner_ == 1 && n_ <= kShortRow; }

  // x [rows, n]; turned [n, rows].
  void FoldShortRows(const float* x, size_t rows, float* y, float* turned) const noexcept {
    kernels_.transpose(x, n_, rows, n_, turned, rows);
    std::fill(y, y + rows, Identity(op_));
    for (size_t i = 0; i < n_; ++i) kernels_.accumulate(op_, turned + i * rows, y, rows);
  }

  // What folds the results of two blocks.
  ReduceOp Merge() const noexcept {
    return op_ == ReduceOp::kSumSquare || op_ == ReduceOp::kSumAbs ? ReduceOp::kSum : op_;
  }

  void FoldRow(const float* x, float* y) const noexcept {
    *y = kernels_.reduce(op_, x, std::min(n_, kBlock));
    float compensation = 0.0f;  // what the additions have rounded away (Kahan 1965)
    for (size_t i = kBlock; i < n_; i += kBlock) {
      const float block = kernels_.reduce(op_, x + i, std::min(n_ - i, kBlock));
      if (Merge() == ReduceOp::kSum) {
        const float addend = block - compensation;
        const float sum = *y + addend;
        compensation = std::isfinite(sum) ? (sum - *y) - addend : 0.0f;
        *y = sum;
      } else {
        kernels_.accumulate(Merge(), &block, y, 1);
      }
    }
  }

  void FoldRows(const float* x, float* y, float* block) const noexcept {
    std::fill(y, y + inner_, Identity(op_));
    for (size_t begin = 0; begin < n_; begin += kBlock) {
      std::fill(block, block + inner_, Identity(op_));
      for (size_t i = begin; i < std::min(begin + kBlock, n_); ++i) {
        kernels_.accumulate(op_, x + i * inner_, block, inner_);
      }
      kernels_.accumulate(Merge(), block, y, inner_);
    }
  }

  const KernelTable& kernels_;
  const ReduceOp op_;
  const UnaryOp post_;
  const float scale_;
  const size_t outer_, n_, inner_;
  Split split_;
  Address x_, y_;
};

}  // namespace

std::unique_ptr<Step> MakeReduce(const StepSpec& spec, const BuildContext& build) {
  return std::make_unique<Reduce>(spec, build);
}

}  // namespace espalier
