#include <algorithm>

#include "kernels/kernel_types.h"
#include "plan_fuzzer.h"
#include "runtime/ops/recurrent.h"

namespace espalier {

void PlanFuzzer::Attention() {
  step_.op = "attention";
  const size_t batch = 1 + Below(2), kv_heads = 1 + Below(2), heads = kv_heads * (1 + Below(2));
  const size_t queries = Dim(), keys = Dim() * (1 + Below(3)), size = 1 + Below(40), v_size = 1 + Below(40);
  Set("batch", batch), Set("heads", heads), Set("kv_heads", kv_heads);
  Set("queries", queries), Set("keys", keys), Set("size", size), Set("v_size", v_size);
  // [batch, heads, tokens, size], or with the tokens before the heads.
  const auto strides = [&](const char* key, size_t own_heads, size_t tokens, size_t own_size) {
    if (Below(2) == 0) return SetList(key, {own_heads * tokens * own_size, tokens * own_size, own_size});
    SetList(key, {own_heads * tokens * own_size, own_size, own_heads * own_size});
  };
  strides("q_strides", heads, queries, size), In({batch, heads, queries, size});
  strides("k_strides", kv_heads, keys, size), In({batch, kv_heads, keys, size});
  strides("v_strides", kv_heads, keys, v_size), In({batch, kv_heads, keys, v_size});
  strides("y_strides", heads, queries, v_size), Out({batch, heads, queries, v_size});
  std::vector<size_t> starts = {0, 0, 0};
  if (Below(2) == 0) {
    Set("has_mask", 1);
    starts.push_back(0);
    switch (Below(4)) {
      case 0:
        SetList("mask_strides", {0, 0, keys, 1}), In({queries, keys});
        break;
      case 1:
        SetList("mask_strides", {keys, 0, 0, 1}), In({batch, keys});
        break;
      case 2:
        SetList("mask_strides", {0, 0, 1, 0}), In({queries, 1});
        break;
      default:
        SetList("mask_strides", {0, 0, 0, 0}), In({1});
    }
  }
  SetList("starts", starts);
  if (Below(2) == 0) Set("causal", 1), Set("past", Below(5));
  step_.floats["scale"] = {0.25};
}

void PlanFuzzer::Recurrent() {
  step_.op = "recurrent";
  const auto kind = static_cast<RecurrentKind>(Below(3));
  const size_t steps = Below(5), batch = Below(2) ? 1 : 1 + Below(20), hidden = 1 + Below(40);
  const size_t directions = 1 + Below(2);
  const size_t gates = kind == RecurrentKind::kLstm ? 4 : kind == RecurrentKind::kGru ? 3 : 1;
  const bool gru = kind == RecurrentKind::kGru;
  Set("kind", static_cast<size_t>(kind)), Set("steps", steps), Set("batch", batch), Set("hidden", hidden);
  Set("batch_first", Below(2)), Set("reverse", Below(2));
  const bool linear = gru && Below(2) == 0;
  Set("linear_before_reset", linear), Set("input_forget", Below(2));
  for (size_t d = 0; d < directions; ++d) {
    In({steps * batch, gates * hidden});
    for (const size_t rows :
         gru ? std::vector<size_t>{2 * hidden, hidden} : std::vector<size_t>{gates * hidden})
      step_.weights.push_back(AddWeights(rows, hidden));
  }
  const WeightFormat format = weights_[0].format;
  const bool fits = batch == 1 ? format != WeightFormat::kSell : format != WeightFormat::kEll;
  for (Weights& weights : weights_) {
    weights.format = fits ? format : WeightFormat::kBlock16;
    if (weights.format == WeightFormat::kCsr) weights.storage = Storage::kFloat32;
  }
  const std::vector<size_t> state = {directions, batch, hidden};
  if (Below(2)) Set("has_lengths", 1), In({batch}, DType::kInt32);
  if (Below(2)) Set("has_h", 1), In(state);
  if (Below(2)) Set("has_c", 1), In(state);
  if (kind == RecurrentKind::kLstm && Below(2)) Set("has_peepholes", 1), In({directions, 3 * hidden});
  if (linear && Below(2)) Set("has_bias", 1), In({directions, hidden});
  if (Below(2)) Set("has_y", 1), Out({steps, directions, batch, hidden});
  if (Below(2)) Set("has_y_c", 1);
  Set("has_y_h", 1), Out(state);
  if (step_.ints["has_y_c"] == std::vector<int64_t>{1}) Out(state);
  const size_t functions = directions * (kind == RecurrentKind::kLstm ? 3 : gru ? 2 : 1);
  for (size_t i = 0; i < functions; ++i) {
    step_.ints["activations"].push_back(Signed(Below(static_cast<size_t>(UnaryOp::kCount))));
    step_.floats["alphas"].push_back(0.5), step_.floats["betas"].push_back(0.25);
  }
  if (Below(2)) step_.floats["clip"] = {2.0};
}

void PlanFuzzer::PlainMatmul() {
  BatchMatmul();
  step_.op = "plain_matmul";
  Set("transpose_a", 0), Set("transpose_b", 0);
  const DType dtype = ComputableType();
  for (TensorRef& tensor : step_.inputs) tensor.dtype = dtype;
  step_.outputs[0].dtype = dtype;
}

// Tuples of indices into the first axes of a tensor [4, 5, 6]; values below 4 are inside of all of them.
void PlanFuzzer::GatherAt() {
  step_.op = "gather_at";
  const size_t count = Dim(), width = 1 + Below(3);
  const std::vector<size_t> dims = {4, 5, 6}, strides = {30, 6, 1};
  const size_t inner = width == 3 ? 1 : strides[width - 1];
  SetList("dims", {count}), SetList("base_strides", {0}), Set("inner", inner);
  SetList("index_sizes", {dims.begin(), dims.begin() + static_cast<ptrdiff_t>(width)});
  SetList("index_strides", {strides.begin(), strides.begin() + static_cast<ptrdiff_t>(width)});
  const DType dtype = AnyType();
  In(dims, dtype), In({count, width}, Below(2) ? DType::kInt32 : DType::kInt64), Out({count, inner}, dtype);
}

void PlanFuzzer::ScatterAt() {
  GatherAt();
  step_.op = "scatter_at";
  std::swap(step_.inputs[0].dims, step_.outputs[0].dims);
  step_.ints["reduction"] = {Below(2) ? -1 : Signed(Below(static_cast<size_t>(BinaryOp::kCount)))};
}

void PlanFuzzer::Quantize() {
  step_.op = "quantize";
  constexpr DType kTypes[] = {DType::kInt8, DType::kUint8, DType::kInt16, DType::kUint16};
  const DType dtype = kTypes[Below(4)];
  const size_t outer = Dim(), axis = Dim(), inner = Dim();
  Set("outer", outer), Set("axis", axis), Set("inner", inner);
  In({outer, axis, inner}), In({axis}), Out({outer, axis, inner}, dtype);
  if (Below(2)) In({axis}, dtype);
}

void PlanFuzzer::Dequantize() {
  Quantize();
  step_.op = "dequantize";
  std::swap(step_.inputs[0].dtype, step_.outputs[0].dtype);
}

size_t PlanFuzzer::Lines() {
  const size_t outer = Dim(), n = Dim(), inner = Dim();
  Set("outer", outer), Set("n", n), Set("inner", inner);
  In({outer, n, inner}, ComputableType());
  return n;
}

void PlanFuzzer::ArgExtreme() {
  step_.op = "arg_extreme";
  Lines();
  const std::vector<size_t>& dims = step_.inputs[0].dims;
  Out({dims[0], dims[2]}, DType::kInt64);
  Set("largest", Below(2)), Set("last", Below(2));
}

void PlanFuzzer::TopK() {
  step_.op = "top_k";
  const size_t k = Below(Lines() + 1);
  const TensorRef x = step_.inputs[0];
  Set("k", k), Set("largest", Below(2));
  Out({x.dims[0], k, x.dims[2]}, x.dtype), Out({x.dims[0], k, x.dims[2]}, DType::kInt64);
}

void PlanFuzzer::Scan() {
  step_.op = "scan";
  Lines();
  Out(step_.inputs[0].dims, step_.inputs[0].dtype);
  Set("exclusive", Below(2)), Set("reverse", Below(2));
}

void PlanFuzzer::Fold() {
  step_.op = "fold";
  Lines();
  const TensorRef& x = step_.inputs[0];
  Set("op", Below(static_cast<size_t>(ReduceOp::kCount)));
  Out({x.dims[0], x.dims[2]}, x.dtype);
}

void PlanFuzzer::GridSample() {
  step_.op = "grid_sample";
  const size_t n = 1 + Below(2), channels = Dim(), points = Dim();
  std::vector<size_t> spatial(2 + Below(2));
  for (size_t& size : spatial) size = 1 + Below(9);
  Set("n", n), Set("c", channels), Set("points", points), SetList("spatial", spatial);
  Set("mode", Below(3)), Set("padding", Below(3)), Set("align_corners", Below(2));
  std::vector<size_t> x = {n, channels};
  x.insert(x.end(), spatial.begin(), spatial.end());
  In(x), In({n, points, spatial.size()}), Out({n, channels, points});
}

void PlanFuzzer::RoiAlign() {
  step_.op = "roi_align";
  const size_t n = 4, channels = Dim(), h = 1 + Below(9), w = 1 + Below(9), rois = Dim();
  const size_t out_h = Dim(), out_w = Dim();
  Set("n", n), Set("c", channels), Set("h", h), Set("w", w), Set("out_h", out_h), Set("out_w", out_w);
  Set("max", Below(2)), Set("half_pixel", Below(2)), Set("sampling_ratio", Below(3));
  step_.floats["spatial_scale"] = {0.5};
  In({n, channels, h, w}), In({rois, 4}), In({rois}, DType::kInt64), Out({rois, channels, out_h, out_w});
}

}  // namespace espalier
