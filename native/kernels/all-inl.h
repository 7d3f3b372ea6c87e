// Every kernel, in the order they use one another. Included once in each instruction-set region, after its
// vec_*.h.

// clang-format off
#include "kernels/math-inl.h"
#include "kernels/elementwise-inl.h"
#include "kernels/reduce-inl.h"
#include "kernels/matmul-inl.h"
#include "kernels/gemv-inl.h"
#include "kernels/taps-inl.h"
#include "kernels/transpose-inl.h"
// clang-format on
