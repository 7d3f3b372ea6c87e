#include "runtime/ops/activation.h"

namespace espalier {

UnaryOp ReadUnaryOp(const StepSpec& spec, const char* key, UnaryOp fallback) {
  const int64_t op = spec.Int(key, static_cast<int64_t>(fallback));
  spec.Expect(op >= 0 && op < static_cast<int64_t>(UnaryOp::kCount),
              std::string("a unary operator in ") + key);
  return static_cast<UnaryOp>(op);
}

Activation ReadActivation(const StepSpec& spec) {
  Activation activation;
  activation.op = ReadUnaryOp(spec, "activation", UnaryOp::kCopy);
  activation.alpha = static_cast<float>(spec.Float("activation_alpha", 0));
  activation.beta = static_cast<float>(spec.Float("activation_beta", 0));
  if (activation.op == UnaryOp::kRelu) {
    activation.lo = 0.0f;
    activation.op = UnaryOp::kCopy;
  } else if (activation.op == UnaryOp::kClip) {
    activation.lo = activation.alpha;
    activation.hi = activation.beta;
    activation.op = UnaryOp::kCopy;
  }
  return activation;
}

}  // namespace espalier
