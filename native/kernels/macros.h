#pragma once

// What the kernels need from the compiler. Included before an instruction-set region opens.

#define ESPALIER_INLINE inline __attribute__((always_inline))

// Unrolls the next loop, whose bounds are constants, so that arrays of Vec stay in registers.
#if defined(__clang__)
#define ESPALIER_UNROLL _Pragma("clang loop unroll(full)")
#else
#define ESPALIER_UNROLL _Pragma("GCC unroll 32")
#endif

// Stands before a hot loop of a matrix kernel and names it in the table of bench/arm64-mca.mjs, with the
// numbers that tell the instances of a template apart: ESPALIER_MCA_LOOP("tile", kRows, kVecs). A comment in
// that script's assembly, nothing anywhere else. Before the loop, not in it: the compiler moves no
// instruction across it.
#if defined(ESPALIER_MCA) && defined(__GNUC__)
#define ESPALIER_MCA_PICK(_1, _2, _3, picked, ...) picked
#define ESPALIER_MCA_0(name) asm volatile("// espalier-loop " name)
#define ESPALIER_MCA_1(name, a) asm volatile("// espalier-loop " name " %0" ::"i"(a))
#define ESPALIER_MCA_2(name, a, b) asm volatile("// espalier-loop " name " %0 x %1" ::"i"(a), "i"(b))
#define ESPALIER_MCA_LOOP(...) \
  ESPALIER_MCA_PICK(__VA_ARGS__, ESPALIER_MCA_2, ESPALIER_MCA_1, ESPALIER_MCA_0, 0)(__VA_ARGS__)
#else
#define ESPALIER_MCA_LOOP(...)
#endif
