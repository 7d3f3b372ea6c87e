// A recurrent layer walking through its sequence. ints "kind" (RecurrentKind), "steps", "batch", "hidden",
// "batch_first", "linear_before_reset", "reverse" (of the only direction; the second of two always is),
// has_lengths, has_h, has_c, has_peepholes, has_bias, has_y, has_y_h, has_y_c, and those of
// recurrent_cell.cc. inputs: X W^T + bias of each direction, [steps * batch, gates * hidden]; sequence
// lengths int32 [batch]; initial h and c; peepholes [directions, 3 * hidden]; bias [directions, hidden] of a
// GRU's third product, which the reset gate then multiplies (linear_before_reset). outputs: Y, the last h,
// the last c. weights: R of each direction; of a GRU the rows of its first two gates, then those of the
// third.
//
// A direction is a chunk, because each step of a sequence needs the one before it.

#include "runtime/ops/recurrent.h"

#include <algorithm>

#include "runtime/ops/factories.h"

namespace espalier {
namespace {

RecurrentShape ReadShape(const StepSpec& spec) {
  RecurrentShape shape;
  const int64_t kind = spec.Int("kind");
  spec.Expect(kind >= 0 && kind <= 2, "a kind of recurrent layer");
  shape.kind = static_cast<RecurrentKind>(kind);
  shape.steps = spec.Size("steps");
  shape.batch = spec.Size("batch");
  shape.hidden = spec.Size("hidden");
  shape.batch_first = spec.Int("batch_first", 0) != 0;
  const size_t each = shape.kind == RecurrentKind::kGru ? 2 : 1;
  spec.Expect(spec.weights.size() == each || spec.weights.size() == 2 * each,
              "weights of one or two directions");
  shape.directions = spec.weights.size() / each;
  return shape;
}

class Recurrent final : public Step {
 public:
  Recurrent(const StepSpec& spec, const BuildContext& build)
      : Step(spec.name),
        kernels_(build.kernels),
        shape_(ReadShape(spec)),
        cell_(spec, build.kernels, shape_),
        reverse_(spec.Int("reverse", 0) != 0),
        linear_before_reset_(spec.Int("linear_before_reset", 0) != 0) {
    ReadWeights(spec, build);
    ReadOperands(spec, build);
    chunks_ = shape_.directions;
    const size_t batch = shape_.batch;
    state_floats_ = RoundUp(MultiplyAll({batch, shape_.hidden}) + Product::kVectorSlack, 16);
    gate_floats_ = RoundUp(MultiplyAll({batch, shape_.rows()}), 16);
    tiles_ = CutTokens(products_[0]->weights().format(), batch);
    panel_rows_ = PanelRows(shape_.hidden, tiles_.width);
    panel_floats_ = batch == 1 ? 0 : RoundUp(shape_.hidden * tiles_.width + kPanelSlack, 16);
    size_t sums = 0;
    for (const auto& product : products_) sums = std::max(sums, product->tokens_scratch_floats(tiles_.width));
    const size_t floats = AddSizes(3 * state_floats_ + gate_floats_, panel_floats_ + sums);
    scratch_bytes_ = MultiplySizes(floats + RoundUp(shape_.hidden, 16), sizeof(float));
  }

  void Run(const RunContext& context, size_t direction, uint8_t* scratch) const noexcept override {
    Memory m;
    m.h = reinterpret_cast<float*>(scratch);
    m.c = m.h + state_floats_;
    m.reset = m.c + state_floats_;
    m.gates = m.reset + state_floats_;
    m.panel = m.gates + gate_floats_;
    m.sums = m.panel + panel_floats_;
    m.row = m.h + scratch_bytes_ / sizeof(float) - RoundUp(shape_.hidden, 16);
    size_t longest = 0;
    for (size_t b = 0; b < shape_.batch; ++b) {
      const size_t length = Length(context, b);
      if (length > shape_.steps) return Fail(context, "a sequence length is not in [0, steps]");
      longest = std::max(longest, length);
      LoadState(context, has_h_, h_in_, direction, b, m.h);
      LoadState(context, has_c_, c_in_, direction, b, m.c);
      for (size_t t = length; has_y_ && t < shape_.steps; ++t)
        std::fill_n(context.At<float>(y_) + shape_.Y(t, direction, b), shape_.hidden, 0.0f);
    }
    for (size_t step = 0; step < longest; ++step) Advance(context, direction, step, m);
    for (size_t b = 0; b < shape_.batch; ++b) {
      const size_t at = shape_.State(direction, b);
      const size_t n = shape_.hidden;
      if (has_y_h_) std::copy_n(m.h + b * n, n, context.At<float>(y_h_) + at);
      if (has_y_c_) std::copy_n(m.c + b * n, n, context.At<float>(y_c_) + at);
    }
  }

 private:
  // What a direction works in.
  struct Memory {
    float* h;      // [batch, hidden], and readable slack behind it
    float* c;      // the same
    float* reset;  // the same: r h of a GRU
    float* gates;  // [batch, gates * hidden]
    float* panel;  // [hidden, tiles_.width]
    float* sums;
    float* row;  // [hidden]
  };

  void ReadWeights(const StepSpec& spec, const BuildContext& build) {
    const bool gru = shape_.kind == RecurrentKind::kGru;
    for (size_t i = 0; i < spec.weights.size(); ++i) {
      products_.push_back(std::make_unique<Product>(kernels_, build.weights(spec.weights[i]), 1));
      const Product& product = *products_.back();
      const size_t rows = gru ? (i % 2 == 0 ? 2 * shape_.hidden : shape_.hidden) : shape_.rows();
      const WeightFormat format = product.weights().format();
      spec.Expect(product.rows() == rows && product.cols() == shape_.hidden,
                  "weights [gates * hidden, hidden]");
      spec.Expect(shape_.batch == 1 ? format != WeightFormat::kSell : format != WeightFormat::kEll,
                  "weights in a format for as many rows");
      spec.Expect(format == products_[0]->weights().format(), "weights of one format");
    }
  }

  void ReadOperands(const StepSpec& spec, const BuildContext& build) {
    const size_t states = MultiplyAll({shape_.directions, shape_.batch, shape_.hidden});
    size_t next = 0;
    const auto take = [&](const char* flag, size_t elements, Address* address, DType dtype) {
      if (flag != nullptr && spec.Int(flag, 0) == 0) return false;
      spec.Expect(next < spec.inputs.size() && spec.inputs[next].Elements() == elements &&
                      spec.inputs[next].dtype == dtype,
                  std::to_string(elements) + " elements of an input");
      *address = build.resolve(spec.inputs[next++]);
      return true;
    };
    const size_t projected = MultiplyAll({shape_.steps, shape_.batch, shape_.rows()});
    projected_.resize(shape_.directions);
    for (Address& address : projected_) take(nullptr, projected, &address, DType::kFloat32);
    has_lengths_ = take("has_lengths", shape_.batch, &lengths_, DType::kInt32);
    has_h_ = take("has_h", states, &h_in_, DType::kFloat32);
    has_c_ = take("has_c", states, &c_in_, DType::kFloat32);
    has_peepholes_ = take("has_peepholes", MultiplyAll({shape_.directions, 3, shape_.hidden}), &peepholes_,
                          DType::kFloat32);
    has_bias_ = take("has_bias", MultiplyAll({shape_.directions, shape_.hidden}), &bias_, DType::kFloat32);
    spec.Expect(next == spec.inputs.size(), "no more inputs");
    next = 0;
    const auto give = [&](const char* flag, size_t elements, Address* address) {
      if (spec.Int(flag, 0) == 0) return false;
      spec.Expect(next < spec.outputs.size() && spec.outputs[next].Elements() == elements &&
                      spec.outputs[next].dtype == DType::kFloat32,
                  std::to_string(elements) + " float32 elements of an output");
      *address = build.resolve(spec.outputs[next++]);
      return true;
    };
    has_y_ = give("has_y", MultiplyAll({shape_.steps, states}), &y_);
    has_y_h_ = give("has_y_h", states, &y_h_);
    has_y_c_ = give("has_y_c", states, &y_c_);
    spec.Expect(next == spec.outputs.size(), "no more outputs");
  }

  // SIZE_MAX for a negative one.
  size_t Length(const RunContext& context, size_t b) const noexcept {
    return has_lengths_ ? static_cast<size_t>(context.At<const int32_t>(lengths_)[b]) : shape_.steps;
  }

  void LoadState(const RunContext& context, bool given, const Address& from, size_t direction, size_t b,
                 float* to) const noexcept {
    const size_t n = shape_.hidden;
    if (given) {
      std::copy_n(context.At<const float>(from) + shape_.State(direction, b), n, to + b * n);
    } else {
      std::fill_n(to + b * n, n, 0.0f);
    }
  }

  // y [batch, stride] = x [batch, hidden] * R^T + bias.
  void Multiply(const Product& product, const float* x, float* y, const float* bias,
                const Memory& m) const noexcept {
    Epilogue epilogue = EpilogueOf(Activation{});
    epilogue.bias = bias;
    if (shape_.batch == 1) return product.Vector(0, x, y, epilogue);
    const Panel panel{m.panel, panel_rows_.data(), tiles_.width};
    for (size_t tile = 0; tile < tiles_.count; ++tile) {
      const size_t first = tiles_.Begin(tile);
      const size_t width = tiles_.Width(tile);
      kernels_.transpose(x + first * shape_.hidden, shape_.hidden, width, shape_.hidden, m.panel,
                         tiles_.width);
      product.ToTokens(0, Panels::Of(panel, width), y + first * shape_.rows(), shape_.rows(), epilogue,
                       m.sums);
    }
  }

  // One step of all sequences of the batch; those that have ended keep their states.
  void Advance(const RunContext& context, size_t direction, size_t step, const Memory& m) const noexcept {
    const size_t n = shape_.hidden;
    const size_t rows = shape_.rows();
    const bool gru = shape_.kind == RecurrentKind::kGru;
    const bool linear = gru && linear_before_reset_;
    const Product& first = *products_[gru ? 2 * direction : direction];
    const float* bias = has_bias_ ? context.At<const float>(bias_) + direction * n : nullptr;
    Multiply(first, m.h, m.gates, nullptr, m);
    if (linear) Multiply(*products_[2 * direction + 1], m.h, m.gates + 2 * n, bias, m);
    if (gru) {
      ForEachActive(context, direction, step, [&](size_t b, size_t, const float* x) {
        float* const gates = m.gates + b * rows;
        cell_.Add(x, gates, 2 * n);
        cell_.GruGates(direction, gates);
        if (linear) return cell_.Multiply(gates + n, gates + 2 * n, n);
        std::copy_n(m.h + b * n, n, m.reset + b * n);
        cell_.Multiply(gates + n, m.reset + b * n, n);
      });
      if (!linear) Multiply(*products_[2 * direction + 1], m.reset, m.gates + 2 * n, nullptr, m);
    }
    const float* peepholes =
        has_peepholes_ ? context.At<const float>(peepholes_) + direction * 3 * n : nullptr;
    ForEachActive(context, direction, step, [&](size_t b, size_t at, const float* x) {
      float* const gates = m.gates + b * rows;
      float* const h = m.h + b * n;
      if (gru) {
        cell_.Add(x + 2 * n, gates + 2 * n, n);
        cell_.GruState(direction, gates, gates + 2 * n, h);
      } else {
        cell_.Add(x, gates, rows);
        if (shape_.kind == RecurrentKind::kRnn) cell_.Rnn(direction, gates, h);
        if (shape_.kind == RecurrentKind::kLstm)
          cell_.Lstm(direction, gates, peepholes, m.c + b * n, h, m.row);
      }
      if (has_y_) std::copy_n(h, n, context.At<float>(y_) + shape_.Y(at, direction, b));
    });
  }

  // visit(sequence, its time, its row of X W^T) for each sequence that has a value at this step.
  template <typename Visit>
  void ForEachActive(const RunContext& context, size_t direction, size_t step,
                     const Visit& visit) const noexcept {
    const float* projected = context.At<const float>(projected_[direction]);
    for (size_t b = 0; b < shape_.batch; ++b) {
      const size_t length = Length(context, b);
      if (step >= length) continue;
      const size_t at = reverse_ || direction == 1 ? length - 1 - step : step;
      visit(b, at, projected + shape_.Projected(at, b));
    }
  }

  const KernelTable& kernels_;
  const RecurrentShape shape_;
  const RecurrentCell cell_;
  const bool reverse_;
  const bool linear_before_reset_;
  std::vector<std::unique_ptr<Product>> products_;
  TokenTiles tiles_{1, 1, 1};
  std::vector<uint32_t> panel_rows_;
  size_t state_floats_ = 0;
  size_t gate_floats_ = 0;
  size_t panel_floats_ = 0;
  std::vector<Address> projected_;
  Address lengths_, h_in_, c_in_, peepholes_, bias_, y_, y_h_, y_c_;
  bool has_lengths_ = false;
  bool has_h_ = false;
  bool has_c_ = false;
  bool has_peepholes_ = false;
  bool has_bias_ = false;
  bool has_y_ = false;
  bool has_y_h_ = false;
  bool has_y_c_ = false;
};

}  // namespace

std::unique_ptr<Step> MakeRecurrent(const StepSpec& spec, const BuildContext& build) {
  return std::make_unique<Recurrent>(spec, build);
}

}  // namespace espalier
