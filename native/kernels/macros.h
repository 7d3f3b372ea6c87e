#pragma once

// What the kernels need from the compiler. Included before an instruction-set region opens.

#define ESPALIER_INLINE inline __attribute__((always_inline))

// Unrolls the next loop, whose bounds are constants, so that arrays of Vec stay in registers.
#if defined(__clang__)
#define ESPALIER_UNROLL _Pragma("clang loop unroll(full)")
#else
#define ESPALIER_UNROLL _Pragma("GCC unroll 32")
#endif
