// Random plans of one step each: sensible ones, and ones where a number, a type, a dim or an offset became
// absurd. Each throws, or runs inside its memory (which the sanitizer build sees) with the same result for
// every number of threads. Where operators promise values, other tests and those of ONNX check them.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <new>
#include <random>
#include <stdexcept>

#include "isa/isa.h"
#include "runtime/session.h"

// Absurd sizes are refused by the allocator, as they are without a sanitizer.
extern "C" __attribute__((visibility("default"))) const char* __asan_default_options() {
  return "allocator_may_return_null=1";
}
extern "C" __attribute__((visibility("default"))) const char* __tsan_default_options() {
  return "allocator_may_return_null=1";
}

namespace espalier {
namespace {

class PlanFuzzer {
 public:
  explicit PlanFuzzer(uint32_t seed) : random_(seed) {}

  struct Weights {
    size_t rows;
    size_t cols;
    WeightFormat format;
    Storage storage;
    std::vector<float> values;
  };
  struct Case {
    PlanSpec plan;
    std::vector<Weights> weights;  // of the step
    std::vector<std::vector<uint8_t>> feeds;
  };

  Case Next() {
    weights_.clear();
    step_ = StepSpec{};
    step_.name = "fuzz";
    static constexpr void (PlanFuzzer::*kMakers[])() = {
        &PlanFuzzer::BatchMatmul, &PlanFuzzer::Binary,    &PlanFuzzer::Cast,    &PlanFuzzer::Compare,
        &PlanFuzzer::Conv,        &PlanFuzzer::Depthwise, &PlanFuzzer::Scatter, &PlanFuzzer::Pool,
        &PlanFuzzer::Copy,        &PlanFuzzer::Fill,      &PlanFuzzer::Gather,  &PlanFuzzer::LayerNorm,
        &PlanFuzzer::Matmul,      &PlanFuzzer::Reduce,    &PlanFuzzer::Resize,  &PlanFuzzer::Softmax,
        &PlanFuzzer::Unary,       &PlanFuzzer::Where,
    };
    (this->*kMakers[Below(std::size(kMakers))])();
    Case result;
    Place(&result);
    if (Below(2) == 0) {
      for (size_t i = Below(3) + 1; i > 0; --i) Spoil(&result.plan.steps[0]);
    }
    return result;
  }

 private:
  size_t Below(size_t limit) { return random_() % limit; }
  // Mostly small, at times one more than a vector or a tile holds, at times zero.
  size_t Dim() {
    const size_t kind = Below(20);
    if (kind == 0) return 0;
    if (kind < 4) return 1;
    return kind < 16 ? 1 + Below(9) : 1 + Below(70);
  }
  static int64_t Signed(size_t n) { return static_cast<int64_t>(n); }

  TensorRef Tensor(std::vector<size_t> dims, DType dtype = DType::kFloat32) {
    TensorRef tensor;
    tensor.dtype = dtype;
    tensor.dims = std::move(dims);
    return tensor;
  }
  void In(std::vector<size_t> dims, DType dtype = DType::kFloat32) {
    step_.inputs.push_back(Tensor(std::move(dims), dtype));
  }
  void Out(std::vector<size_t> dims, DType dtype = DType::kFloat32) {
    step_.outputs.push_back(Tensor(std::move(dims), dtype));
  }
  void Set(const char* key, size_t value) { step_.ints[key] = {Signed(value)}; }
  void SetPair(const char* key, size_t h, size_t w) { step_.ints[key] = {Signed(h), Signed(w)}; }

  void MaybeActivation() {
    if (Below(2) == 0) return;
    Set("activation", Below(static_cast<size_t>(UnaryOp::kCount)));
    step_.floats["activation_alpha"] = {-0.5};
    step_.floats["activation_beta"] = {1.5};
  }

  size_t AddWeights(size_t rows, size_t cols) {
    const auto format = static_cast<WeightFormat>(Below(7));
    const bool half = format != WeightFormat::kCsr && Below(3) == 0;
    Weights weights{rows, cols, format, half ? Storage::kFloat16 : Storage::kFloat32,
                    std::vector<float>(rows * cols)};
    const size_t density = 1 + Below(4);
    for (float& value : weights.values) value = Below(4) < density ? Value() : 0.0f;
    weights_.push_back(std::move(weights));
    return weights_.size() - 1;
  }

  float Value() {
    if (Below(200) == 0) return 1.0f / 0.0f;
    if (Below(200) == 0) return 0.0f / 0.0f;
    return static_cast<float>(static_cast<int>(Below(2001)) - 1000) / 250.0f;
  }

  void BatchMatmul() {
    step_.op = "batch_matmul";
    const size_t batch = Dim(), m = Dim(), k = Dim(), n = Dim();
    Set("m", m), Set("k", k), Set("n", n);
    Set("transpose_a", Below(2)), Set("transpose_b", Below(2));
    std::vector<int64_t>& a = step_.ints["a_offsets"];
    std::vector<int64_t>& b = step_.ints["b_offsets"];
    for (size_t i = 0; i < batch; ++i) {
      a.push_back(Signed(i * m * k));
      b.push_back(0);
    }
    step_.floats["alpha"] = {0.5};
    In({batch, m, k}), In({k, n}), Out({batch, m, n});
  }

  // dims and the strides of operands that broadcast along some of them; adds the inputs.
  std::vector<size_t> Broadcast(std::vector<const char*> keys, const std::vector<DType>& types) {
    const std::vector<size_t> dims = {Dim(), Dim(), Dim()};
    for (size_t dim : dims) step_.ints["dims"].push_back(Signed(dim));
    for (size_t i = 0; i < keys.size(); ++i) {
      std::vector<size_t> own(3);
      std::vector<int64_t> strides(3);
      size_t stride = 1;
      for (size_t d = 3; d-- > 0;) {
        const bool repeated = Below(4) == 0;
        own[d] = repeated ? 1 : dims[d];
        strides[d] = repeated ? 0 : Signed(stride);
        stride *= own[d];
      }
      step_.ints[keys[i]] = strides;
      In(own, types[i]);
    }
    return dims;
  }

  void Binary() {
    step_.op = "binary";
    constexpr DType kTypes[] = {DType::kFloat32, DType::kFloat32, DType::kInt32, DType::kInt64};
    const DType dtype = kTypes[Below(4)];
    Set("op", Below(static_cast<size_t>(BinaryOp::kCount)));
    Out(Broadcast({"a_strides", "b_strides"}, {dtype, dtype}), dtype);
  }
  void Compare() {
    step_.op = "compare";
    constexpr DType kTypes[] = {DType::kFloat32, DType::kInt32, DType::kInt64, DType::kBool};
    const DType dtype = kTypes[Below(4)];
    Set("op", Below(8));
    Out(Broadcast({"a_strides", "b_strides"}, {dtype, dtype}), DType::kBool);
  }
  void Where() {
    step_.op = "where";
    const DType dtype = AnyType();
    Out(Broadcast({"condition_strides", "a_strides", "b_strides"}, {DType::kBool, dtype, dtype}), dtype);
  }
  DType AnyType() { return static_cast<DType>(Below(13)); }
  void Cast() {
    step_.op = "cast";
    const std::vector<size_t> dims = {Dim(), Dim() * Dim()};
    In(dims, AnyType()), Out(dims, AnyType());
  }
  void Unary() {
    step_.op = "unary";
    Set("unary_op", Below(static_cast<size_t>(UnaryOp::kCount)));
    step_.floats["alpha"] = {-1.0};
    step_.floats["beta"] = {2.0};
    const std::vector<size_t> dims = {Dim(), Dim() * Dim()};
    In(dims), Out(dims);
  }
  void Fill() {
    step_.op = "fill";
    const DType dtype = AnyType();
    In({}, dtype), Out({Dim(), Dim()}, dtype);
  }

  void Window(size_t batch, size_t channels, size_t out_channels, size_t height, size_t width, size_t out_h,
              size_t out_w, size_t kernel_h, size_t kernel_w) {
    SetPair("kernel", kernel_h, kernel_w);
    SetPair("strides", 1 + Below(5), 1 + Below(5));
    SetPair("dilations", 1 + Below(3), 1 + Below(3));
    SetPair("pads", Below(2) * Below(9), Below(2) * Below(9));
    In({batch, channels, height, width}), Out({batch, out_channels, out_h, out_w});
  }
  void Tail(size_t channels) {
    if (Below(2)) Set("has_bias", 1), In({channels});
    if (Below(2)) Set("has_residual", 1), In(step_.outputs[0].dims);
    MaybeActivation();
  }
  void Conv() {
    step_.op = "conv2d";
    const size_t groups = 1 + Below(2), channels = 1 + Below(4), outputs = 1 + Below(40);
    const size_t kernel_h = 1 + Below(3), kernel_w = 1 + Below(3);
    Window(1 + Below(2), groups * channels, groups * outputs, Dim(), Dim(), Dim(), Dim(), kernel_h, kernel_w);
    for (size_t g = 0; g < groups; ++g)
      step_.weights.push_back(AddWeights(outputs, channels * kernel_h * kernel_w));
    Tail(groups * outputs);
  }
  void Depthwise() {
    step_.op = "depthwise_conv2d";
    const size_t channels = 1 + Below(5), multiplier = 1 + Below(2);
    const size_t kernel_h = 1 + Below(5), kernel_w = Below(2) ? kernel_h : 1 + Below(5);
    Window(1 + Below(2), channels, channels * multiplier, Dim(), Dim(), Dim(), Dim(), kernel_h, kernel_w);
    In({channels * multiplier, kernel_h, kernel_w});
    Tail(channels * multiplier);
  }
  void Scatter() {
    step_.op = "conv_scatter";
    const size_t channels = 1 + Below(4), kernel_h = 1 + Below(4), kernel_w = 1 + Below(4);
    Window(1 + Below(2), channels * kernel_h * kernel_w, channels, Dim(), Dim(), Dim(), Dim(), kernel_h,
           kernel_w);
    if (Below(2)) Set("has_bias", 1), In({channels});
    MaybeActivation();
  }
  void Pool() {
    step_.op = "pool2d";
    const size_t channels = 1 + Below(5);
    Window(1 + Below(2), channels, channels, Dim(), Dim(), Dim(), Dim(), 1 + Below(5), 1 + Below(5));
    Set("average", Below(2));
    Set("count_include_pad", Below(2));
    SetPair("pads_after", Below(9), Below(9));
  }

  void Copy() {
    step_.op = "copy";
    const DType dtype = AnyType();
    std::vector<size_t> dims = {Dim(), Dim(), Dim(), Dim()};
    // x and y are this tensor with its dims in some order.
    const auto order = [&](const char* key, bool repeat) {
      std::vector<size_t> places = {0, 1, 2, 3};
      std::shuffle(places.begin(), places.end(), random_);
      std::vector<int64_t> strides(4);
      size_t stride = 1;
      for (size_t place : places) {
        const bool repeated = repeat && Below(8) == 0;
        strides[place] = repeated ? 0 : Signed(stride);
        stride *= repeated ? 1 : dims[place];
      }
      step_.ints[key] = strides;
      return stride;
    };
    for (size_t dim : dims) step_.ints["dims"].push_back(Signed(dim));
    const size_t x = order("x_strides", true);
    const size_t y = order("y_strides", false);
    const size_t x_start = Below(3), y_start = Below(3);
    Set("x_start", x_start), Set("y_start", y_start);
    In({x + x_start}, dtype), Out({y + y_start}, dtype);
  }
  void Gather() {
    step_.op = "gather";
    const size_t outer = Dim(), axis = 3 + Below(5), inner = Dim(), count = Dim();
    Set("outer", outer), Set("axis", axis), Set("inner", inner);
    const DType dtype = AnyType();
    In({outer, axis, inner}, dtype), In({count}, Below(2) ? DType::kInt32 : DType::kInt64);
    Out({outer, count, inner}, dtype);
  }
  void LayerNorm() {
    step_.op = "layer_norm";
    const size_t outer = Dim(), n = Dim() * Dim();
    Set("outer", outer), Set("n", n);
    In({outer, n}), Out({outer, n});
    if (Below(2)) Set("has_scale", 1), In({n});
    if (Below(2)) Set("has_bias", 1), In({n});
  }
  void Softmax() {
    step_.op = "softmax";
    const size_t outer = Dim(), n = Dim(), inner = Dim();
    Set("outer", outer), Set("n", n), Set("inner", inner);
    In({outer, n, inner}), Out({outer, n, inner});
  }
  void Reduce() {
    step_.op = "reduce";
    const size_t outer = Dim(), n = Dim(), inner = Dim();
    Set("outer", outer), Set("n", n), Set("inner", inner);
    Set("op", Below(static_cast<size_t>(ReduceOp::kCount)));
    Set("post", Below(static_cast<size_t>(UnaryOp::kCount)));
    step_.floats["scale"] = {0.25};
    In({outer, n, inner}), Out({outer, inner});
  }
  void Matmul() {
    step_.op = "matmul";
    const size_t n = Dim() * Dim(), inputs = 1 + Below(80), outputs = 1 + Below(120);
    Set("n", n);
    In({n, inputs}), Out({n, outputs});
    const size_t rank = Below(4) == 0 ? 1 + Below(9) : 0;
    step_.weights = {AddWeights(outputs, inputs + rank)};
    if (rank > 0) {
      step_.weights.push_back(AddWeights(rank, inputs));
      if (Below(8) != 0) weights_.back().format = WeightFormat::kDense;
    }
    if (Below(3) == 0) {
      Set("has_scale", 1);
      In({outputs});
    }
    Tail(outputs);
  }
  void Resize() {
    step_.op = "resize2d";
    const size_t planes = Dim(), height = 1 + Below(9), width = 1 + Below(40);
    Set("planes", planes), Set("height", height), Set("width", width);
    const bool nearest = Below(2) == 0;
    const auto axis = [&](const std::string& name, size_t size) {
      const size_t out = Dim();
      for (size_t i = 0; i < out; ++i) {
        const size_t lo = Below(size);
        step_.ints[name + "_lo"].push_back(Signed(lo));
        step_.ints[name + "_hi"].push_back(Signed(std::min(lo + 1, size - 1)));
        step_.floats[name + "_weight"].push_back(nearest ? 0.0 : static_cast<double>(Below(5)) / 4);
      }
      step_.ints[name + "_lo"], step_.ints[name + "_hi"], step_.floats[name + "_weight"];
      return out;
    };
    const size_t rows = axis("rows", height);
    const size_t columns = axis("columns", width);
    In({planes, height, width}), Out({planes, rows, columns});
  }

  // Gives every tensor a memory of exactly its size.
  void Place(Case* result) {
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

  std::vector<uint8_t> Bytes(const TensorRef& tensor) {
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

  int64_t Absurd() {
    constexpr int64_t kNumbers[] = {-1,        0,         1,         2,         3,           7,
                                    17,        64,        INT64_MAX, INT64_MIN, 1ll << 31,   1ll << 32,
                                    1ll << 33, 1ll << 40, 1ll << 53, 1ll << 62, -(1ll << 40)};
    return kNumbers[Below(std::size(kNumbers))];
  }

  void Spoil(StepSpec* step) {
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

  std::minstd_rand random_;
  StepSpec step_;
  std::vector<Weights> weights_;
};

enum class Outcome { kRefused, kFailed, kRan };

// Copies of exactly the needed size on the heap, so that a sanitizer sees every step outside.
Outcome RunCase(const PlanFuzzer::Case& fuzz, Session& session, std::vector<std::vector<uint8_t>>* results) {
  PlanSpec plan = fuzz.plan;
  for (size_t& id : plan.steps[0].weights) {
    const PlanFuzzer::Weights& w = fuzz.weights[id];
    id = session.AddWeights(MatrixView{reinterpret_cast<const uint8_t*>(w.values.data()),
                                       w.values.size() * sizeof(float), w.rows, w.cols, 0, w.cols, 1},
                            w.format, w.storage);
  }
  size_t id = 0;
  try {
    id = session.CreatePlan(plan);
  } catch (const Error&) {
    return Outcome::kRefused;
  } catch (const std::bad_alloc&) {
    return Outcome::kRefused;
  } catch (const std::length_error&) {
    return Outcome::kRefused;
  }
  const auto exact = [](size_t bytes) { return std::unique_ptr<uint8_t[]>(new uint8_t[bytes]); };
  std::vector<std::unique_ptr<uint8_t[]>> memory;
  std::vector<const uint8_t*> inputs;
  std::vector<uint8_t*> outputs;
  for (const std::vector<uint8_t>& feed : fuzz.feeds) {
    memory.push_back(exact(feed.size()));
    std::copy(feed.begin(), feed.end(), memory.back().get());
    inputs.push_back(memory.back().get());
  }
  for (size_t bytes : plan.output_bytes) {
    memory.push_back(exact(bytes));
    std::fill_n(memory.back().get(), bytes, uint8_t{0x5a});
    outputs.push_back(memory.back().get());
  }
  const std::shared_ptr<Plan> built = session.FindPlan(id);
  session.ReleasePlan(id);
  try {
    session.Run(*built, inputs.data(), outputs.data());
  } catch (const Error&) {
    return Outcome::kFailed;
  }
  results->clear();
  for (size_t i = 0; i < outputs.size(); ++i)
    results->emplace_back(outputs[i], outputs[i] + plan.output_bytes[i]);
  return Outcome::kRan;
}

// Bit for bit, but that one NaN is as good as another.
void ExpectSame(DType dtype, const std::vector<uint8_t>& got, const std::vector<uint8_t>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  if (dtype != DType::kFloat32) {
    EXPECT_EQ(got, expected);
    return;
  }
  for (size_t i = 0; i + sizeof(float) <= got.size(); i += sizeof(float)) {
    float a;
    float b;
    std::memcpy(&a, got.data() + i, sizeof(a));
    std::memcpy(&b, expected.data() + i, sizeof(b));
    if (std::isnan(a) && std::isnan(b)) continue;
    ASSERT_EQ(std::memcmp(&a, &b, sizeof(a)), 0) << a << " is not " << b << " at " << i / sizeof(float);
  }
}

TEST(PlanFuzz, EveryPlanThrowsOrRunsInsideItsMemoryAndAlikeForAnyThreadCount) {
  const char* wanted = std::getenv("ESPALIER_FUZZ_PLANS");
  const size_t plans = wanted ? static_cast<size_t>(std::atoll(wanted)) : 4000;
  const char* seed = std::getenv("ESPALIER_FUZZ_SEED");
  PlanFuzzer fuzzer(seed ? static_cast<uint32_t>(std::atoll(seed)) : 1);
  std::vector<std::unique_ptr<Session>> one;
  std::vector<std::unique_ptr<Session>> several;
  std::map<std::string, size_t> ran;
  for (size_t i = 0; i < plans; ++i) {
    const size_t isas = AvailableKernels().size();
    if (i % 500 == 0) {  // sessions keep all weights they ever had
      one.clear(), several.clear();
      for (const KernelTable* kernels : AvailableKernels()) {
        one.push_back(std::make_unique<Session>(*kernels, 1));
        several.push_back(std::make_unique<Session>(*kernels, 2 + i / 500 % 3));
      }
    }
    const PlanFuzzer::Case fuzz = fuzzer.Next();
    std::vector<std::vector<uint8_t>> expected;
    std::vector<std::vector<uint8_t>> got;
    const Outcome outcome = RunCase(fuzz, *one[i % isas], &expected);
    ASSERT_EQ(RunCase(fuzz, *several[i % isas], &got), outcome) << "plan " << i;
    if (outcome != Outcome::kRan) continue;
    ++ran[fuzz.plan.steps[0].op];
    // CSR kernels add in more chains the narrower the panel, and more threads get narrower panels.
    const auto is_csr = [](const PlanFuzzer::Weights& w) { return w.format == WeightFormat::kCsr; };
    if (std::any_of(fuzz.weights.begin(), fuzz.weights.end(), is_csr)) continue;
    for (size_t output = 0; output < got.size(); ++output) {
      ExpectSame(fuzz.plan.steps[0].outputs[output].dtype, got[output], expected[output]);
    }
    ASSERT_FALSE(HasFailure()) << "plan " << i << ", " << fuzz.plan.steps[0].op;
  }
  if (plans >= 4000) {
    EXPECT_EQ(ran.size(), 18u) << "every operator ran";
    for (const auto& [op, count] : ran) EXPECT_GT(count, plans / 100) << op;
  }
}

}  // namespace
}  // namespace espalier
