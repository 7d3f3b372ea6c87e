// Random plans of one step each, for plan_fuzz_test.cc: sensible ones, and ones where a number, a type, a dim
// or an offset became absurd.

#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "formats/weight_format.h"
#include "runtime/plan_spec.h"

namespace espalier {

class PlanFuzzer {
 public:
  explicit PlanFuzzer(uint32_t seed) : random_(seed) {}

  struct Weights {
    size_t rows;
    size_t cols;
    WeightFormat format;
    Storage storage;
    std::vector<float> values;
    bool winograd = false;  // filters, to be packed as those of winograd_conv2d
  };
  struct Case {
    PlanSpec plan;
    std::vector<Weights> weights;  // of the step
    std::vector<std::vector<uint8_t>> feeds;
  };

  Case Next();
  // Native operators that plans are made of.
  static size_t operators() { return Makers().size(); }

 private:
  using Maker = void (PlanFuzzer::*)();
  static const std::vector<Maker>& Makers();

  size_t Below(size_t limit) { return random_() % limit; }
  // Mostly small, at times one more than a vector or a tile holds, at times zero.
  size_t Dim();
  static int64_t Signed(size_t n) { return static_cast<int64_t>(n); }
  float Value();
  DType AnyType() { return static_cast<DType>(Below(13)); }
  DType ComputableType();  // no 16-bit float
  int64_t Absurd();

  // They add to the step.
  void In(std::vector<size_t> dims, DType dtype = DType::kFloat32);
  void Out(std::vector<size_t> dims, DType dtype = DType::kFloat32);
  void Set(const char* key, size_t value) { step_.ints[key] = {Signed(value)}; }
  void SetPair(const char* key, size_t h, size_t w) { step_.ints[key] = {Signed(h), Signed(w)}; }
  void SetList(const char* key, const std::vector<size_t>& values);
  void MaybeActivation();
  void Tail(size_t channels);  // bias, residual, activation
  size_t AddWeights(size_t rows, size_t cols);
  // dims and the strides of operands that broadcast along some of them; adds the inputs.
  std::vector<size_t> Broadcast(std::vector<const char*> keys, const std::vector<DType>& types);
  void Window(size_t batch, size_t channels, size_t out_channels, size_t height, size_t width, size_t out_h,
              size_t out_w, size_t kernel_h, size_t kernel_w);
  size_t Lines();  // "outer", "n", "inner" and the input; returns n

  // One for each native operator.
  void ArgExtreme();
  void Attention();
  void BatchMatmul();
  void Binary();
  void Cast();
  void Compare();
  void Conv();
  void Copy();
  void Depthwise();
  void Dequantize();
  void Fill();
  void Fold();
  void Gather();
  void GatherAt();
  void GridSample();
  void LayerNorm();
  void Matmul();
  void PlainMatmul();
  void Pool();
  void Quantize();
  void Recurrent();
  void Reduce();
  void Resize();
  void RoiAlign();
  void Scan();
  void Scatter();
  void ScatterAt();
  void Softmax();
  void TopK();
  void Unary();
  void Where();
  void Winograd();

  // Gives every tensor a memory of exactly its size.
  void Place(Case* result);
  std::vector<uint8_t> Bytes(const TensorRef& tensor);
  void Spoil(StepSpec* step);

  std::minstd_rand random_;
  StepSpec step_;
  std::vector<Weights> weights_;
};

}  // namespace espalier
