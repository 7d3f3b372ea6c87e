#pragma once

// The vocabulary between the runtime and the kernels. Plain structs: this header is included inside the
// instruction-set regions too, so it has no inline function and no standard container.

#include <cstddef>
#include <cstdint>

namespace espalier {

// Values of weights, as they are stored: float32, or float16 (IEEE half) that kernels widen as they load it.
struct Values {
  const void* data;  // 64-byte aligned, followed by 64 readable bytes
  bool half;
};

// Rows [rows, cols] kept in blocks of `block_rows` consecutive rows that share one column (r x 1 blocks).
// Row block b holds rows [b * block_rows, (b + 1) * block_rows); rows past the end are zero.
// Block i of the matrix has its values at values[i * block_rows].
// `columns` is followed by 64 readable bytes that are zero (AlignedBuffer does so): kernels may load whole
// vectors at the end and use such a column as an index.
// A product may take a range of the columns alone: then offsets and ends say which blocks lie in it, of a
// dense matrix too, and a dense matrix starts where its range does, which is the same in all row blocks.
struct BlockMatrix {
  size_t rows;
  size_t cols;
  const uint32_t* offsets;  // [ceil(rows / block_rows)], the first block of each, or null: all of a dense one
  const uint32_t* ends;     // as offsets, past the last
  const uint16_t* columns;  // ascending in each row block, or null: dense, 16-row blocks of all columns
  Values values;            // [blocks, block_rows]
};

// Compressed sparse rows of a [rows, cols] matrix: for more columns than the other formats can number.
struct CsrMatrix {
  size_t rows;
  size_t cols;
  const uint32_t* offsets;  // [rows + 1]
  const uint32_t* columns;  // [offsets[rows]], ascending in each row
  const float* values;      // [offsets[rows]]
};

// K-blocked SELL (sliced ELLPACK; Kreutzer et al., arXiv 1307.6209): the rows in chunks of `chunk_rows`, the
// columns in blocks of `block_cols`; where the two meet is a tile. The rows of a tile are sorted by how many
// values they have in it, and taken in slices of 4, padded to the longest with zeros that no product reads
// twice: sorted so, padding is about one percent, and a kernel's loops keep their trip counts for long runs,
// which is what lets the CPU predict where they end. Step i of a slice holds value i of its 4 rows.
// The last chunk has whole slices: rows past the end have no values.
struct SellMatrix {
  size_t rows;
  size_t cols;
  size_t block_cols;       // at most 256
  size_t chunk_rows;       // a multiple of 16, at most 65536
  const uint64_t* starts;  // [chunks * blocks + 1], the first step of each tile, chunk by chunk
  const uint8_t* counts;   // [rows in slices / 4, for each block]: steps of a slice; see SellTile
  const uint16_t* order;   // as counts, 4 for each: the row of the chunk
  const uint8_t* columns;  // [steps, 4], column of the block
  Values values;           // [steps, 4]
};

// Windowed ELLPACK, for products with one vector: 16 rows a group. A slot holds at most one value of each
// row, all of them in a window of 32 columns that starts anywhere, so that a permutation of two vectors finds
// what they multiply. Places that no row fills hold zero.
struct EllMatrix {
  size_t rows;
  size_t cols;
  const uint32_t* offsets;  // [ceil(rows / 16) + 1], in slots
  const uint16_t* windows;  // [slots], the first column
  const uint8_t* columns;   // [slots, 16], column of the window
  Values values;            // [slots, 16]
};

// The right-hand side of a product, [cols, width]: value (k, t) is data[rows[k] + t]. Rows may be unaligned
// and may overlap (the taps of a convolution see the same values, shifted). Whole vectors are read, so 15
// floats past the width of every row must be readable; what they hold does not matter.
struct Panel {
  const float* data;
  const uint32_t* rows;  // [cols], in floats
  size_t stride;         // rows[k] is k * stride for every k, which saves a load; or 0
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

// What follows a product, in this order: * scale[row], + bias[row], + residual, clamp to [lo, hi] (NaN
// passes), activation. The activation is done on what a tile has just stored, in the first-level cache.
struct Epilogue {
  const float* scale;      // [rows] or null
  const float* bias;       // [rows] or null
  const float* residual;   // laid out as the output, or null
  size_t residual_stride;  // floats between rows of the residual (not read when there is one vector)
  float lo;                // -infinity when there is nothing to clamp
  float hi;                // +infinity when there is nothing to clamp
  UnaryOp activation;      // kCopy when there is none
  float alpha;             // of the activation
  float beta;
};

// A window of weights that slides down a strip of input rows which were copied with their padding. Tap (kh,
// kw) of output row r sees, at column i, the value rows[(r * stride_h + kh * dilation_h) * row_stride +
// columns[kw] + i].
// Rows of an image that are copied with their padding, and with columns apart by what they leave modulo
// `phases`: the taps of a window that moves by so many columns then read neighbours.
struct RowCopy {
  const float* from;  // row r has `width` floats from r * from_stride on
  size_t from_stride;
  size_t width;
  size_t rows;
  float* to;  // phase p of row r has `phase_floats` floats from r * row_stride + p * phase_stride on
  size_t row_stride;
  size_t phases;
  size_t phase_stride;
  size_t phase_floats;
  size_t pad_left;
  float padding;
};

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

// Channels that lie side by side where lanes are channels.
constexpr size_t kLaneChannels = 16;

// The taps [first, end) of a window that see a row (or a column) of the plane, not its padding. `start` is
// what the first of them sees.
struct TapRange {
  size_t first;
  size_t end;
  size_t start;
};

// A window over the planes of kLaneChannels channels that lie side by side.
struct LaneWindow {
  const float* x;  // [height, width, kLaneChannels]
  size_t width;
  const TapRange* rows;     // [out_rows]
  const TapRange* columns;  // [out_cols]
  size_t out_rows;
  size_t out_cols;
  const float* weights;  // [kernel_h, kernel_w, kLaneChannels]
  size_t kernel_w;
  size_t dilation_h;
  size_t dilation_w;
  const float* bias;  // [kLaneChannels]
  float lo;
  float hi;
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
// The same with tokens as rows of the output: out[t * out_stride + row]; residual likewise.
using TokenBlockMatmul = void (*)(const BlockMatrix& w, size_t row_begin, size_t row_end, const Panel& panel,
                                  size_t width, float* out, size_t out_stride, const Epilogue& epilogue);
using PanelSellMatmul = void (*)(const SellMatrix& w, size_t chunk, size_t block_begin, size_t block_end,
                                 const Panel& panel, size_t width, float* sums, size_t sums_stride);
using FinishSums = void (*)(const float* sums, size_t sums_stride, size_t rows, size_t width, float* out,
                            size_t out_stride, const Epilogue& epilogue);
using EllGemv = void (*)(const EllMatrix& w, size_t row_begin, size_t row_end, const float* x, float* y,
                         const Epilogue& epilogue);
using BlockGemv = void (*)(const BlockMatrix& w, size_t row_begin, size_t row_end, const float* x, float* y,
                           const Epilogue& epilogue);
using CsrGemv = void (*)(const CsrMatrix& w, size_t row_begin, size_t row_end, const float* x, float* y,
                         const Epilogue& epilogue);
using UnaryRow = void (*)(UnaryOp op, float alpha, float beta, const float* x, float* y, size_t n);
using BinaryRow = void (*)(BinaryOp op, const float* a, int a_step, const float* b, int b_step, float* y,
                           size_t n);
using ReduceRow = float (*)(ReduceOp op, const float* x, size_t n);
using AccumulateRow = void (*)(ReduceOp op, const float* x, float* y, size_t n);
using CopyRows = void (*)(const RowCopy& copy) noexcept;
using WindowSum = void (*)(const WindowRows& window, size_t width, float* out, size_t out_stride);
using WindowLanes = void (*)(const LaneWindow& window, float* y) noexcept;
using MaxTaps = void (*)(const float* const* taps, size_t tap_count, size_t width, float* out);
using SoftmaxRow = void (*)(const float* x, float* y, size_t n);
using OnlineSoftmax = void (*)(float* scores, size_t keys, size_t stride, size_t width, float* max,
                               float* sum, float* factor);
using LayerNormRow = void (*)(const float* x, const float* scale, const float* bias, float epsilon, float* y,
                              size_t n);
using TransposeTile = void (*)(const float* x, size_t x_stride, size_t rows, size_t cols, float* y,
                               size_t y_stride);
using WinogradInput = void (*)(const float* x, size_t x_stride, size_t tiles, float* v, size_t v_stride);
using WinogradOutput = void (*)(const float* m, size_t m_stride, size_t tiles, float* y, size_t y_stride);
// Rows and columns of a tile of the float64 product.
constexpr size_t kGemmTile = 8;
using GemmTile64 = void (*)(const double* a, const double* b, size_t depth, double* c, size_t c_stride);

// One table for every instruction set; kernels.inc lists what is in it.
struct KernelTable {
  const char* isa;
#define ESPALIER_KERNEL(Type, name) Type name;
#include "kernels/kernels.inc"
#undef ESPALIER_KERNEL
};

}  // namespace espalier
