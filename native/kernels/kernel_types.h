#pragma once

// The vocabulary between the runtime and the kernels. Plain structs: this header is included inside the
// instruction-set regions too, so it has no inline function and no standard container.

#include <cstddef>
#include <cstdint>

namespace espalier {

// Rows [rows, cols] kept in blocks of `block_rows` consecutive rows that share one column (r x 1 blocks).
// Row block b holds rows [b * block_rows, (b + 1) * block_rows); rows past the end are zero.
// Block i of the matrix has its values at values[i * block_rows].
// `columns` and `values` are followed by 64 readable bytes, and those after `columns` are zero (AlignedBuffer
// does so): kernels may load whole vectors at the end and use such a column as an index.
struct BlockMatrix {
  size_t rows;
  size_t cols;
  const uint32_t* offsets;  // [ceil(rows / block_rows) + 1], or null: dense, 16-row blocks of all columns
  const uint32_t* columns;  // [offsets[last]], ascending in each row block, or null when dense
  const float* values;      // [blocks, block_rows], 64-byte aligned
};

// Compressed sparse rows of a [rows, cols] matrix.
struct CsrMatrix {
  size_t rows;
  size_t cols;
  const uint32_t* offsets;  // [rows + 1]
  const uint32_t* columns;  // [offsets[rows]], ascending in each row
  const float* values;      // [offsets[rows]]
};

// The right-hand side of a product, [cols, width]: value (k, t) is data[rows[k] + t]. Rows may be unaligned
// and may overlap (the taps of a convolution see the same values, shifted). Whole vectors are read, so 15
// floats past the width of every row must be readable; what they hold does not matter.
struct Panel {
  const float* data;
  const uint32_t* rows;  // [cols], in floats
};

// What follows a product, in this order: + bias[row], + residual, clamp to [lo, hi] (NaN passes).
struct Epilogue {
  const float* bias;       // [rows] or null
  const float* residual;   // laid out as the output, or null
  size_t residual_stride;  // floats between rows of the residual (panel kernels only)
  float lo;                // -infinity when there is nothing to clamp
  float hi;                // +infinity when there is nothing to clamp
};

// A window of weights that slides down a strip of input rows which were copied with their padding. Tap (kh,
// kw) of output row r sees, at column i, the value rows[(r * stride_h + kh * dilation_h) * row_stride +
// columns[kw] + i].
struct WindowRows {
  const float* rows;
  size_t row_stride;
  size_t out_rows;
  size_t kernel_h;
  size_t kernel_w;
  size_t stride_h;
  size_t dilation_h;
  const size_t* columns;  // [kernel_w]
  const float* weights;   // [kernel_h, kernel_w]
  float bias;
  const float* residual;  // as the output, or null
  size_t residual_stride;
  float lo;  // -infinity when there is nothing to clamp
  float hi;
};

enum class UnaryOp : int32_t {
  kCopy = 0,
  kAbs,
  kNeg,
  kRelu,
  kClip,       // min(max(x, alpha), beta)
  kLeakyRelu,  // x < 0 ? alpha * x : x
  kElu,        // x < 0 ? alpha * (exp(x) - 1) : x
  kSelu,       // x > 0 ? beta * x : beta * alpha * (exp(x) - 1)
  kSigmoid,
  kHardSigmoid,  // min(max(alpha * x + beta, 0), 1)
  kHardSwish,    // x * min(max(x / 6 + 0.5, 0), 1)
  kSilu,         // x * sigmoid(x)
  kTanh,
  kErf,
  kGeluErf,   // 0.5 x (1 + erf(x / sqrt 2))
  kGeluTanh,  // 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))
  kSoftplus,  // log(1 + exp(x)), without overflow
  kMish,      // x * tanh(softplus(x))
  kExp,
  kLog,
  kSqrt,
  kReciprocal,
  kFloor,
  kCeil,
  kRound,   // half to even
  kAffine,  // alpha * x + beta
  kCount,
};

enum class BinaryOp : int32_t {
  kAdd = 0,
  kSub,
  kMul,
  kDiv,
  kMin,
  kMax,
  kPow,
  kPRelu,  // a < 0 ? a * b : a
  kCount,
};

enum class ReduceOp : int32_t { kSum = 0, kMax, kMin, kSumSquare, kSumAbs, kProd, kCount };

// An operand of a row kernel that is one value for the whole row has step 0, else step 1.
using PanelBlockMatmul = void (*)(const BlockMatrix& w, size_t row_begin, size_t row_end, const Panel& panel,
                                  size_t width, float* out, size_t out_stride, const Epilogue& epilogue);
using PanelCsrMatmul = void (*)(const CsrMatrix& w, size_t row_begin, size_t row_end, const Panel& panel,
                                size_t width, float* out, size_t out_stride, const Epilogue& epilogue);
using BlockGemv = void (*)(const BlockMatrix& w, size_t row_begin, size_t row_end, const float* x, float* y,
                           const Epilogue& epilogue);
using CsrGemv = void (*)(const CsrMatrix& w, size_t row_begin, size_t row_end, const float* x, float* y,
                         const Epilogue& epilogue);
using UnaryRow = void (*)(UnaryOp op, float alpha, float beta, const float* x, float* y, size_t n);
using BinaryRow = void (*)(BinaryOp op, const float* a, int a_step, const float* b, int b_step, float* y,
                           size_t n);
using ReduceRow = float (*)(ReduceOp op, const float* x, size_t n);
using AccumulateRow = void (*)(ReduceOp op, const float* x, float* y, size_t n);
using WindowSum = void (*)(const WindowRows& window, size_t width, float* out, size_t out_stride);
using MaxTaps = void (*)(const float* const* taps, size_t tap_count, size_t width, float* out);
using SoftmaxRow = void (*)(const float* x, float* y, size_t n);
using LayerNormRow = void (*)(const float* x, const float* scale, const float* bias, float epsilon, float* y,
                              size_t n);
using TransposeTile = void (*)(const float* x, size_t x_stride, size_t rows, size_t cols, float* y,
                               size_t y_stride);

// One table for every instruction set; kernels.inc lists what is in it.
struct KernelTable {
  const char* isa;
#define ESPALIER_KERNEL(Type, name) Type name;
#include "kernels/kernels.inc"
#undef ESPALIER_KERNEL
};

}  // namespace espalier
