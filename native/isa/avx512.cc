#include "isa/tables.h"
#include "kernels/macros.h"

#if defined(__x86_64__)
#include <immintrin.h>

// Every foreign header is above: what follows is compiled for this instruction set, and an inline function of
// another header compiled so could be the copy the linker keeps for everybody.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c"))), \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")
// GCC bug 105593: the "undefined" operand of its own AVX-512 intrinsics counts as uninitialised.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

namespace espalier {
namespace avx512 {
namespace {
// Each file uses the names of the one before.
// clang-format off
#include "kernels/x86-inl.h"
#include "kernels/vec_avx512.h"
#include "kernels/all-inl.h"
// clang-format on
}  // namespace
}  // namespace avx512
}  // namespace espalier

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC diagnostic pop
#pragma GCC pop_options
#endif

namespace espalier {

const KernelTable kAvx512Kernels = {
    "avx512",
#define ESPALIER_KERNEL(Type, name) avx512::name,
#include "kernels/kernels.inc"
#undef ESPALIER_KERNEL
};

}  // namespace espalier

#endif  // defined(__x86_64__)
