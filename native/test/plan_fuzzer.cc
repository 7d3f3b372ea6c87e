#include "plan_fuzzer.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "kernels/kernel_types.h"

namespace espalier {

const std::vector<PlanFuzzer::Maker>& PlanFuzzer::Makers() {
  static const std::vector<Maker> makers = {
      &PlanFuzzer::ArgExtreme, &PlanFuzzer::Attention,   &PlanFuzzer::BatchMatmul, &PlanFuzzer::Binary,
      &PlanFuzzer::Cast,       &PlanFuzzer::Compare,     &PlanFuzzer::Conv,        &PlanFuzzer::Copy,
      &PlanFuzzer::Depthwise,  &PlanFuzzer::Dequantize,  &PlanFuzzer::Fill,        &PlanFuzzer::Fold,
      &PlanFuzzer::Gather,     &PlanFuzzer::GatherAt,    &PlanFuzzer::GridSample,  &PlanFuzzer::LayerNorm,
      &PlanFuzzer::Matmul,     &PlanFuzzer::PlainMatmul, &PlanFuzzer::Pool,        &PlanFuzzer::Quantize,
      &PlanFuzzer::Recurrent,  &PlanFuzzer::Reduce,      &PlanFuzzer::Resize,      &PlanFuzzer::RoiAlign,
      &PlanFuzzer::Scan,       &PlanFuzzer::Scatter,     &PlanFuzzer::ScatterAt,   &PlanFuzzer::Softmax,
      &PlanFuzzer::TopK,       &PlanFuzzer::Unary,       &PlanFuzzer::Where,       &PlanFuzzer::Winograd};
  return makers;
}

PlanFuzzer::Case PlanFuzzer::Next() {
  weights_.clear();
  step_ = StepSpec{};
  step_.name = "fuzz";
  (this->*Makers()[Below(Makers().size())])();
  Case result;
  Place(&result);
  if (Below(2) == 0) {
    for (size_t i = Below(3) + 1; i > 0; --i) Spoil(&result.plan.steps[0]);
  }
  return result;
}

size_t PlanFuzzer::Dim() {
  const size_t kind = Below(20);
  if (kind == 0) return 0;
  if (kind < 4) return 1;
  return kind < 16 ? 1 + Below(9) : 1 + Below(70);
}

float PlanFuzzer::Value() {
  if (Below(200) == 0) return 1.0f / 0.0f;
  if (Below(200) == 0) return 0.0f / 0.0f;
  return static_cast<float>(static_cast<int>(Below(2001)) - 1000) / 250.0f;
}

DType PlanFuzzer::ComputableType() {
  for (;;) {
    const DType dtype = AnyType();
    if (dtype != DType::kFloat16 && dtype != DType::kBfloat16) return dtype;
  }
}

void PlanFuzzer::In(std::vector<size_t> dims, DType dtype) {
  TensorRef tensor;
  tensor.dtype = dtype;
  tensor.dims = std::move(dims);
  step_.inputs.push_back(std::move(tensor));
}

void PlanFuzzer::Out(std::vector<size_t> dims, DType dtype) {
  TensorRef tensor;
  tensor.dtype = dtype;
  tensor.dims = std::move(dims);
  step_.outputs.push_back(std::move(tensor));
}

void PlanFuzzer::SetList(const char* key, const std::vector<size_t>& values) {
  std::vector<int64_t>& list = step_.ints[key];
  for (const size_t value : values) list.push_back(Signed(value));
}

void PlanFuzzer::MaybeActivation() {
  if (Below(2) == 0) return;
  Set("activation", Below(static_cast<size_t>(UnaryOp::kCount)));
  step_.floats["activation_alpha"] = {-0.5};
  step_.floats["activation_beta"] = {1.5};
}

size_t PlanFuzzer::AddWeights(size_t rows, size_t cols) {
  const auto format = static_cast<WeightFormat>(Below(7));
  const bool half = format != WeightFormat::kCsr && Below(3) == 0;
  Weights weights{rows, cols, format, half ? Storage::kFloat16 : Storage::kFloat32,
                  std::vector<float>(rows * cols)};
  const size_t density = 1 + Below(4);
  for (float& value : weights.values) value = Below(4) < density ? Value() : 0.0f;
  weights_.push_back(std::move(weights));
  return weights_.size() - 1;
}

void PlanFuzzer::Place(Case* result) {
  PlanSpec& plan = result->plan;
  for (size_t i = 0; i < step_.inputs.size(); ++i) {
    TensorRef& tensor = step_.inputs[i];
    const std::vector<uint8_t> bytes = Bytes(tensor);
    if (Below(4) == 0) {
      tensor.space = Space::kPlanConstant;
      tensor.index = plan.constants.size();
      plan.constants.push_back(bytes);
    } else {
      tensor.space = Space::kInput;
      tensor.index = plan.input_bytes.size();
      plan.input_bytes.push_back(bytes.size());
      result->feeds.push_back(bytes);
    }
  }
  for (size_t i = 0; i < step_.outputs.size(); ++i) {
    step_.outputs[i].space = Space::kOutput;
    step_.outputs[i].index = i;
    plan.output_bytes.push_back(step_.outputs[i].Bytes());
  }
  result->weights = weights_;
  plan.steps = {step_};
}

std::vector<uint8_t> PlanFuzzer::Bytes(const TensorRef& tensor) {
  std::vector<uint8_t> bytes(tensor.Bytes());
  if (tensor.dtype == DType::kFloat32) {
    for (size_t i = 0; i < bytes.size(); i += sizeof(float)) {
      const float value = Value();
      std::memcpy(bytes.data() + i, &value, sizeof(value));
    }
    return bytes;
  }
  // Small numbers, so that some are indices.
  const size_t step = SizeOf(tensor.dtype);
  for (size_t i = 0; i < bytes.size(); i += step) bytes[i] = static_cast<uint8_t>(Below(4));
  return bytes;
}

int64_t PlanFuzzer::Absurd() {
  constexpr int64_t kNumbers[] = {-1,        0,         1,         2,         3,           7,
                                  17,        64,        INT64_MAX, INT64_MIN, 1ll << 31,   1ll << 32,
                                  1ll << 33, 1ll << 40, 1ll << 53, 1ll << 62, -(1ll << 40)};
  return kNumbers[Below(std::size(kNumbers))];
}

void PlanFuzzer::Spoil(StepSpec* step) {
  const auto any_tensor = [&]() -> TensorRef& {
    const size_t i = Below(step->inputs.size() + step->outputs.size());
    return i < step->inputs.size() ? step->inputs[i] : step->outputs[i - step->inputs.size()];
  };
  switch (Below(8)) {
    case 0:
      if (!any_tensor().dims.empty()) {
        TensorRef& tensor = any_tensor();
        if (!tensor.dims.empty()) tensor.dims[Below(tensor.dims.size())] = static_cast<size_t>(Absurd());
      }
      return;
    case 1:
      any_tensor().dtype = AnyType();
      return;
    case 2:
      any_tensor().offset = static_cast<size_t>(Absurd());
      return;
    case 3:
      any_tensor().index = static_cast<size_t>(Absurd());
      return;
    case 4:
      // Never an output: a copy onto itself is no use of memcpy, and no compiler of ours makes one.
      if (step->inputs.empty()) return;
      if (Below(2) == 0) {
        step->inputs.pop_back();
      } else {
        step->inputs.push_back(step->inputs[Below(step->inputs.size())]);
      }
      return;
    default:
      if (step->ints.empty()) return;
      auto entry = std::next(step->ints.begin(), static_cast<ptrdiff_t>(Below(step->ints.size())));
      if (entry->second.empty() || Below(12) == 0) {
        step->ints.erase(entry);
      } else if (Below(12) == 0) {
        entry->second.push_back(Absurd());
      } else {
        entry->second[Below(entry->second.size())] = Absurd();
      }
  }
}

}  // namespace espalier
