#include "runtime/ops/factories.h"

namespace espalier {
namespace {

struct Entry {
  const char* op;
  StepFactory factory;
};

constexpr Entry kRegistry[] = {
    {"attention", MakeAttention},
    {"batch_matmul", MakeBatchMatmul},
    {"binary", MakeBinary},
    {"cast", MakeCast},
    {"compare", MakeCompare},
    {"conv2d", MakeConv2d},
    {"conv_scatter", MakeConvScatter},
    {"copy", MakeCopy},
    {"depthwise_conv2d", MakeDepthwiseConv2d},
    {"fill", MakeFill},
    {"gather", MakeGather},
    {"layer_norm", MakeLayerNorm},
    {"matmul", MakeMatmul},
    {"pool2d", MakePool2d},
    {"recurrent", MakeRecurrent},
    {"reduce", MakeReduce},
    {"resize2d", MakeResize2d},
    {"softmax", MakeSoftmax},
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
