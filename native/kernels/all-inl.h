// Every kernel, in the order they use one another. Included once in each instruction-set region, after its
// vec_*.h.

// A stored float16 value; LoadHalf widens a vector of them.
using Half = uint16_t;
ESPALIER_INLINE Vec LoadValues(const float* p) { return Load(p); }
ESPALIER_INLINE Vec LoadValues(const Half* p) { return LoadHalf(p); }

// clang-format off
#include "kernels/math-inl.h"
#include "kernels/elementwise-inl.h"
#include "kernels/reduce-inl.h"
#include "kernels/transpose-inl.h"
#include "kernels/epilogue-inl.h"
#include "kernels/panel-inl.h"
#include "kernels/token-inl.h"
#include "kernels/sell-inl.h"
#include "kernels/gemv-inl.h"
#include "kernels/rows-inl.h"
#include "kernels/taps-inl.h"
#include "kernels/lanes-inl.h"
#include "kernels/winograd-inl.h"
#include "kernels/gemm64-inl.h"
// clang-format on
