#pragma once

#include <limits>

#include "runtime/step.h"

namespace espalier {

// The activation fused behind an operator: a clamp that kernels do in registers, or a unary function done on
// rows that are still in the first-level cache.
struct Activation {
  float lo = -std::numeric_limits<float>::infinity();
  float hi = std::numeric_limits<float>::infinity();
  UnaryOp op = UnaryOp::kCopy;  // kCopy when the clamp is all
  float alpha = 0.0f;
  float beta = 0.0f;

  bool is_clamp() const { return op == UnaryOp::kCopy; }
};

// Reads ints "activation" (a UnaryOp; kCopy when absent) and floats "activation_alpha", "activation_beta".
Activation ReadActivation(const StepSpec& spec);

// Reads a UnaryOp that is one of the known ones.
UnaryOp ReadUnaryOp(const StepSpec& spec, const char* key, UnaryOp fallback);

}  // namespace espalier
