#include "runtime/ops/factories.h"

namespace espalier {
namespace {

struct Entry {
  const char* op;
  StepFactory factory;
};

constexpr Entry kRegistry[] = {
    {"arg_extreme", MakeArgExtreme},
    {"attention", MakeAttention},
    {"batch_matmul", MakeBatchMatmul},
    {"binary", MakeBinary},
    {"cast", MakeCast},
    {"compare", MakeCompare},
    {"conv2d", MakeConv2d},
    {"conv_scatter", MakeConvScatter},
    {"copy", MakeCopy},
    {"depthwise_conv2d", MakeDepthwiseConv2d},
    {"dequantize", MakeDequantize},
    {"fill", MakeFill},
    {"fold", MakeFold},
    {"gather", MakeGather},
    {"gather_at", MakeGatherAt},
    {"grid_sample", MakeGridSample},
    {"layer_norm", MakeLayerNorm},
    {"matmul", MakeMatmul},
    {"plain_matmul", MakePlainMatmul},
    {"pool2d", MakePool2d},
    {"recurrent", MakeRecurrent},
    {"quantize", MakeQuantize},
    {"reduce", MakeReduce},
    {"resize2d", MakeResize2d},
    {"roi_align", MakeRoiAlign},
    {"scan", MakeScan},
    {"scatter_at", MakeScatterAt},
    {"softmax", MakeSoftmax},
    {"top_k", MakeTopK},
    {"unary", MakeUnary},
    {"where", MakeWhere},
    {"winograd_conv2d", MakeWinogradConv2d},
};

}  // namespace

StepFactory FindStepFactory(const std::string& op) {
  for (const Entry& entry : kRegistry) {
    if (op == entry.op) return entry.factory;
  }
  return nullptr;
}

}  // namespace espalier
