#include <algorithm>
#include <string>

#include "kernels/kernel_types.h"
#include "plan_fuzzer.h"

namespace espalier {

void PlanFuzzer::BatchMatmul() {
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

std::vector<size_t> PlanFuzzer::Broadcast(std::vector<const char*> keys, const std::vector<DType>& types) {
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

void PlanFuzzer::Binary() {
  step_.op = "binary";
  constexpr DType kTypes[] = {DType::kFloat32, DType::kFloat32, DType::kInt32, DType::kInt64};
  const DType dtype = kTypes[Below(4)];
  Set("op", Below(static_cast<size_t>(BinaryOp::kCount)));
  Out(Broadcast({"a_strides", "b_strides"}, {dtype, dtype}), dtype);
}

void PlanFuzzer::Compare() {
  step_.op = "compare";
  constexpr DType kTypes[] = {DType::kFloat32, DType::kInt32, DType::kInt64, DType::kBool};
  const DType dtype = kTypes[Below(4)];
  Set("op", Below(8));
  Out(Broadcast({"a_strides", "b_strides"}, {dtype, dtype}), DType::kBool);
}

void PlanFuzzer::Where() {
  step_.op = "where";
  const DType dtype = AnyType();
  Out(Broadcast({"condition_strides", "a_strides", "b_strides"}, {DType::kBool, dtype, dtype}), dtype);
}

void PlanFuzzer::Cast() {
  step_.op = "cast";
  const std::vector<size_t> dims = {Dim(), Dim() * Dim()};
  In(dims, AnyType()), Out(dims, AnyType());
}

void PlanFuzzer::Unary() {
  step_.op = "unary";
  Set("unary_op", Below(static_cast<size_t>(UnaryOp::kCount)));
  step_.floats["alpha"] = {-1.0};
  step_.floats["beta"] = {2.0};
  const std::vector<size_t> dims = {Dim(), Dim() * Dim()};
  In(dims), Out(dims);
}

void PlanFuzzer::Fill() {
  step_.op = "fill";
  const DType dtype = AnyType();
  In({}, dtype), Out({Dim(), Dim()}, dtype);
}

void PlanFuzzer::Copy() {
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

void PlanFuzzer::Gather() {
  step_.op = "gather";
  const size_t outer = Dim(), axis = 3 + Below(5), inner = Dim(), count = Dim();
  Set("outer", outer), Set("axis", axis), Set("inner", inner);
  const DType dtype = AnyType();
  In({outer, axis, inner}, dtype), In({count}, Below(2) ? DType::kInt32 : DType::kInt64);
  Out({outer, count, inner}, dtype);
}

void PlanFuzzer::LayerNorm() {
  step_.op = "layer_norm";
  const size_t outer = Dim(), n = Dim() * Dim();
  Set("outer", outer), Set("n", n);
  In({outer, n}), Out({outer, n});
  if (Below(2)) Set("has_scale", 1), In({n});
  if (Below(2)) Set("has_bias", 1), In({n});
}

void PlanFuzzer::Softmax() {
  step_.op = "softmax";
  const size_t outer = Dim(), n = Dim(), inner = Dim();
  Set("outer", outer), Set("n", n), Set("inner", inner);
  In({outer, n, inner}), Out({outer, n, inner});
}

void PlanFuzzer::Reduce() {
  step_.op = "reduce";
  const size_t outer = Dim(), n = Dim(), inner = Dim();
  Set("outer", outer), Set("n", n), Set("inner", inner);
  Set("op", Below(static_cast<size_t>(ReduceOp::kCount)));
  Set("post", Below(static_cast<size_t>(UnaryOp::kCount)));
  step_.floats["scale"] = {0.25};
  In({outer, n, inner}), Out({outer, inner});
}

void PlanFuzzer::Matmul() {
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

void PlanFuzzer::Resize() {
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

}  // namespace espalier
