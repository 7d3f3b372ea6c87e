// Plans as a whole: what a hostile spec does, that threads agree, and how a run ends early.

#include "runtime/plan.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <numeric>

#include "isa/isa.h"
#include "runtime/session.h"

namespace espalier {
namespace {

TensorRef Tensor(Space space, size_t index, size_t offset, std::vector<size_t> dims,
                 DType dtype = DType::kFloat32) {
  return TensorRef{space, index, offset, dtype, std::move(dims)};
}

// y = relu(x) on n elements, from input 0 to output 0.
PlanSpec ReluPlan(size_t n) {
  PlanSpec plan;
  plan.input_bytes = {n * sizeof(float)};
  plan.output_bytes = {n * sizeof(float)};
  StepSpec step;
  step.op = "unary";
  step.name = "relu";
  step.inputs = {Tensor(Space::kInput, 0, 0, {n})};
  step.outputs = {Tensor(Space::kOutput, 0, 0, {n})};
  step.ints["unary_op"] = {static_cast<int64_t>(UnaryOp::kRelu)};
  plan.steps = {step};
  return plan;
}

std::vector<float> Wave(size_t n) {
  std::vector<float> values(n);
  for (size_t i = 0; i < n; ++i) values[i] = std::sin(0.37f * static_cast<float>(i));
  return values;
}

std::vector<float> RunFloats(Session& session, const PlanSpec& spec, const std::vector<float>& x) {
  const std::shared_ptr<Plan> plan = session.FindPlan(session.CreatePlan(spec));
  std::vector<float> y(spec.output_bytes[0] / sizeof(float), -77.0f);
  const uint8_t* input = reinterpret_cast<const uint8_t*>(x.data());
  auto* output = reinterpret_cast<uint8_t*>(y.data());
  session.Run(*plan, &input, &output);
  return y;
}

ErrorCode CodeOf(const PlanSpec& spec) {
  Session session(SelectKernels("auto"), 1);
  try {
    session.CreatePlan(spec);
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "expected an error";
  return ErrorCode::kArgument;
}

// A 2-D convolution of x [1, channels, side, side] with weights [outputs, channels * 9], padding 1.
PlanSpec ConvPlan(Session& session, size_t channels, size_t outputs, size_t side,
                  const std::vector<float>& weights, WeightFormat format) {
  PlanSpec plan;
  plan.input_bytes = {channels * side * side * sizeof(float)};
  plan.output_bytes = {outputs * side * side * sizeof(float)};
  StepSpec step;
  step.op = "conv2d";
  step.name = "conv";
  step.inputs = {Tensor(Space::kInput, 0, 0, {1, channels, side, side})};
  step.outputs = {Tensor(Space::kOutput, 0, 0, {1, outputs, side, side})};
  step.ints["kernel"] = {3, 3};
  step.ints["strides"] = step.ints["dilations"] = step.ints["pads"] = {1, 1};
  const MatrixView view{reinterpret_cast<const uint8_t*>(weights.data()),
                        weights.size() * sizeof(float),
                        outputs,
                        channels * 9,
                        0,
                        channels * 9,
                        1};
  step.weights = {session.AddWeights(view, format)};
  plan.steps = {step};
  return plan;
}

std::vector<float> ReferenceConv(const std::vector<float>& x, const std::vector<float>& weights,
                                 size_t channels, size_t outputs, size_t side) {
  std::vector<float> y(outputs * side * side);
  const auto pixel = [&](size_t c, ptrdiff_t row, ptrdiff_t column) {
    const auto limit = static_cast<ptrdiff_t>(side);
    if (row < 0 || column < 0 || row >= limit || column >= limit) return 0.0;
    return static_cast<double>(x[(c * side + static_cast<size_t>(row)) * side + static_cast<size_t>(column)]);
  };
  for (size_t o = 0; o < outputs; ++o) {
    for (size_t row = 0; row < side; ++row) {
      for (size_t column = 0; column < side; ++column) {
        double sum = 0;
        for (size_t c = 0; c < channels; ++c) {
          for (size_t k = 0; k < 9; ++k) {
            sum +=
                static_cast<double>(weights[(o * channels + c) * 9 + k]) *
                pixel(c, static_cast<ptrdiff_t>(row + k / 3) - 1, static_cast<ptrdiff_t>(column + k % 3) - 1);
          }
        }
        y[(o * side + row) * side + column] = static_cast<float>(sum);
      }
    }
  }
  return y;
}

TEST(Plan, RunsAStep) {
  Session session(SelectKernels("auto"), 1);
  const std::vector<float> x = Wave(1000);
  const std::vector<float> y = RunFloats(session, ReluPlan(1000), x);
  for (size_t i = 0; i < x.size(); ++i) EXPECT_EQ(y[i], std::max(x[i], 0.0f));
}

TEST(Plan, RefusesTensorsOutsideTheirMemory) {
  PlanSpec spec = ReluPlan(16);
  spec.input_bytes = {15 * sizeof(float)};
  EXPECT_EQ(CodeOf(spec), ErrorCode::kInternal);

  spec = ReluPlan(16);
  spec.steps[0].outputs[0].offset = SIZE_MAX - 8;
  EXPECT_EQ(CodeOf(spec), ErrorCode::kInternal);

  spec = ReluPlan(16);
  spec.steps[0].outputs[0].index = 1;
  EXPECT_EQ(CodeOf(spec), ErrorCode::kInternal);

  spec = ReluPlan(16);
  spec.steps[0].inputs[0] = Tensor(Space::kArena, 0, 0, {16});
  EXPECT_EQ(CodeOf(spec), ErrorCode::kInternal);
}

TEST(Plan, RefusesToWriteWhereCallersMayNotExpectIt) {
  PlanSpec spec = ReluPlan(16);
  std::swap(spec.steps[0].inputs, spec.steps[0].outputs);
  EXPECT_EQ(CodeOf(spec), ErrorCode::kInternal);
}

TEST(Plan, RefusesUnknownOperatorsAndNumbers) {
  PlanSpec spec = ReluPlan(16);
  spec.steps[0].op = "reluu";
  EXPECT_EQ(CodeOf(spec), ErrorCode::kInternal);

  spec = ReluPlan(16);
  spec.steps[0].ints["unary_op"] = {1000};
  EXPECT_EQ(CodeOf(spec), ErrorCode::kInternal);

  spec = ReluPlan(16);
  spec.steps[0].ints.clear();
  EXPECT_EQ(CodeOf(spec), ErrorCode::kInternal);

  spec = ReluPlan(16);
  spec.steps[0].op = "conv2d";
  spec.steps[0].weights = {0};
  EXPECT_EQ(CodeOf(spec), ErrorCode::kInternal);
}

TEST(Plan, RefusesStridesThatLeaveTheTensor) {
  PlanSpec spec = ReluPlan(16);
  spec.steps[0].op = "copy";
  spec.steps[0].ints = {{"dims", {4, 4}}, {"x_strides", {4, 1}}, {"y_strides", {4, 1}}};
  Session session(SelectKernels("auto"), 1);
  EXPECT_NO_THROW(session.CreatePlan(spec));
  spec.steps[0].ints["x_strides"] = {5, 1};
  EXPECT_EQ(CodeOf(spec), ErrorCode::kInternal);
  spec.steps[0].ints["x_strides"] = {-4, 1};
  EXPECT_EQ(CodeOf(spec), ErrorCode::kInternal);
  spec.steps[0].ints["x_start"] = {12};
  EXPECT_NO_THROW(session.CreatePlan(spec));
}

TEST(Plan, ConvolutionAgreesWithTheDefinitionInEveryFormatAndThreadCount) {
  const size_t channels = 5;
  const size_t side = 13;
  const size_t outputs = 37;
  const std::vector<float> x = Wave(channels * side * side);
  std::vector<float> weights = Wave(outputs * channels * 9);
  for (size_t i = 0; i < weights.size(); ++i) {
    if (i % 3 != 0) weights[i] = 0;
  }
  const std::vector<float> expected = ReferenceConv(x, weights, channels, outputs, side);
  for (const KernelTable* kernels : AvailableKernels()) {
    for (size_t threads : {1, 2, 3, 8}) {
      Session session(*kernels, threads);
      for (WeightFormat format : {WeightFormat::kDense, WeightFormat::kBlock16, WeightFormat::kBlock8,
                                  WeightFormat::kBlock4, WeightFormat::kCsr, WeightFormat::kSell}) {
        const PlanSpec spec = ConvPlan(session, channels, outputs, side, weights, format);
        const std::vector<float> y = RunFloats(session, spec, x);
        for (size_t i = 0; i < y.size(); ++i) {
          ASSERT_NEAR(y[i], expected[i], 1e-5f) << kernels->isa << ", " << threads << " threads, at " << i;
        }
      }
    }
  }
}

TEST(Plan, RunsAgainAndAgain) {
  Session session(SelectKernels("auto"), 3);
  const PlanSpec spec = ReluPlan(100000);
  const std::shared_ptr<Plan> plan = session.FindPlan(session.CreatePlan(spec));
  for (int run = 0; run < 300; ++run) {
    const std::vector<float> x(100000, static_cast<float>(run));
    std::vector<float> y(100000);
    const uint8_t* input = reinterpret_cast<const uint8_t*>(x.data());
    auto* output = reinterpret_cast<uint8_t*>(y.data());
    session.Run(*plan, &input, &output);
    ASSERT_EQ(y.front(), x.front());
    ASSERT_EQ(y.back(), x.back());
  }
}

TEST(Session, ACancelledRunSaysSo) {
  Session session(SelectKernels("auto"), 2);
  const std::vector<float> x = Wave(64);
  session.Cancel();
  try {
    RunFloats(session, ReluPlan(64), x);
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kReleased);
  }
}

TEST(Session, AnIndexOutsideTheAxisFailsTheRunAndNamesTheNode) {
  for (size_t threads : {1, 2}) {
    Session session(SelectKernels("auto"), threads);
    PlanSpec spec;
    spec.input_bytes = {8 * sizeof(float), 2 * sizeof(int64_t)};
    spec.output_bytes = {2 * sizeof(float)};
    StepSpec step;
    step.op = "gather";
    step.name = "embedding";
    step.inputs = {Tensor(Space::kInput, 0, 0, {8}), Tensor(Space::kInput, 1, 0, {2}, DType::kInt64)};
    step.outputs = {Tensor(Space::kOutput, 0, 0, {2})};
    step.ints = {{"outer", {1}}, {"axis", {8}}, {"inner", {1}}};
    spec.steps = {step};
    const std::shared_ptr<Plan> plan = session.FindPlan(session.CreatePlan(spec));
    const std::vector<float> data = Wave(8);
    std::vector<float> y(2);
    auto* output = reinterpret_cast<uint8_t*>(y.data());
    const auto run = [&](int64_t first, int64_t second) {
      const int64_t indices[] = {first, second};
      const uint8_t* inputs[] = {reinterpret_cast<const uint8_t*>(data.data()),
                                 reinterpret_cast<const uint8_t*>(indices)};
      session.Run(*plan, inputs, &output);
    };
    EXPECT_THROW(run(0, 8), Error);
    EXPECT_THROW(run(-9, 0), Error);
    try {
      run(100, 0);
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("embedding"), std::string::npos);
    }
    run(-1, 2);  // and the session goes on
    EXPECT_EQ(y[0], data[7]);
    EXPECT_EQ(y[1], data[2]);
  }
}

}  // namespace
}  // namespace espalier
