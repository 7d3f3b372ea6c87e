// The cells of LSTM (Hochreiter & Schmidhuber 1997, with the peepholes of Gers & Schmidhuber 2000), GRU (Cho
// et al. 2014) and RNN, in the forms of https://onnx.ai/onnx/operators/onnx__LSTM.html and its siblings. ints
// "activations" (a UnaryOp each, directions * functions), "input_forget"; floats "alphas", "betas" (as many),
// "clip" (0: none).

#include "runtime/ops/recurrent.h"

namespace espalier {
namespace {

// Functions of a cell: f for gates, g for what is new, h for an LSTM's output.
size_t FunctionCount(RecurrentKind kind) {
  return kind == RecurrentKind::kLstm ? 3 : kind == RecurrentKind::kGru ? 2 : 1;
}

}  // namespace

RecurrentCell::RecurrentCell(const StepSpec& spec, const KernelTable& kernels, const RecurrentShape& shape)
    : kernels_(kernels),
      hidden_(shape.hidden),
      each_(FunctionCount(shape.kind)),
      clip_(static_cast<float>(spec.Float("clip", 0))),
      input_forget_(spec.Int("input_forget", 0) != 0) {
  const size_t count = each_ * shape.directions;
  const std::vector<int64_t>& ops = spec.Ints("activations", count);
  const std::vector<double>& alphas = spec.Floats("alphas", count);
  const std::vector<double>& betas = spec.Floats("betas", count);
  for (size_t i = 0; i < count; ++i) {
    spec.Expect(ops[i] >= 0 && ops[i] < static_cast<int64_t>(UnaryOp::kCount),
                "unary operators as activations");
    functions_.push_back(
        {static_cast<UnaryOp>(ops[i]), static_cast<float>(alphas[i]), static_cast<float>(betas[i])});
  }
}

void RecurrentCell::Add(const float* x, float* y, size_t n) const noexcept {
  kernels_.binary(BinaryOp::kAdd, y, 1, x, 1, y, n);
}

void RecurrentCell::Multiply(const float* x, float* y, size_t n) const noexcept {
  kernels_.binary(BinaryOp::kMul, y, 1, x, 1, y, n);
}

void RecurrentCell::Activate(size_t direction, size_t which, float* x, size_t n) const noexcept {
  const Function& function = functions_[direction * each_ + which];
  if (clip_ > 0.0f) kernels_.unary(UnaryOp::kClip, -clip_, clip_, x, x, n);
  kernels_.unary(function.op, function.alpha, function.beta, x, x, n);
}

void RecurrentCell::Lstm(size_t direction, float* gates, const float* peepholes, float* c, float* h,
                         float* scratch) const noexcept {
  const size_t n = hidden_;
  float* const input = gates;
  float* const output = gates + n;
  float* const forget = gates + 2 * n;
  float* const fresh = gates + 3 * n;
  const auto peep = [&](size_t which, float* gate) {
    if (peepholes == nullptr) return;
    kernels_.binary(BinaryOp::kMul, peepholes + which * n, 1, c, 1, scratch, n);
    Add(scratch, gate, n);
  };
  peep(0, input);
  Activate(direction, 0, input, n);
  if (input_forget_) {
    kernels_.unary(UnaryOp::kAffine, -1.0f, 1.0f, input, forget, n);
  } else {
    peep(2, forget);
    Activate(direction, 0, forget, n);
  }
  Activate(direction, 1, fresh, n);
  Multiply(forget, c, n);
  Multiply(input, fresh, n);
  Add(fresh, c, n);
  peep(1, output);
  Activate(direction, 0, output, n);
  // Of the inputs of activations, onnxruntime does not clip this one, and models are trained and checked so.
  const Function& last = functions_[direction * each_ + 2];
  kernels_.unary(last.op, last.alpha, last.beta, c, h, n);
  Multiply(output, h, n);
}

void RecurrentCell::GruGates(size_t direction, float* gates) const noexcept {
  Activate(direction, 0, gates, 2 * hidden_);
}

void RecurrentCell::GruState(size_t direction, const float* z, float* candidate, float* h) const noexcept {
  Activate(direction, 1, candidate, hidden_);
  kernels_.binary(BinaryOp::kSub, h, 1, candidate, 1, h, hidden_);
  Multiply(z, h, hidden_);
  Add(candidate, h, hidden_);
}

void RecurrentCell::Rnn(size_t direction, float* gate, float* h) const noexcept {
  Activate(direction, 0, gate, hidden_);
  kernels_.unary(UnaryOp::kCopy, 0.0f, 0.0f, gate, h, hidden_);
}

}  // namespace espalier
