#include "isa/tables.h"
#include "kernels/macros.h"

#if defined(__aarch64__)
#include <arm_neon.h>

// No target region: NEON is part of ARM64.

namespace espalier {
namespace neon {
namespace {
// Each file uses the names of the one before.
// clang-format off
#include "kernels/vec_neon.h"
#include "kernels/all-inl.h"
// clang-format on
}  // namespace
}  // namespace neon

const KernelTable kNeonKernels = {
    "neon",
#define ESPALIER_KERNEL(Type, name) neon::name,
#include "kernels/kernels.inc"
#undef ESPALIER_KERNEL
};

}  // namespace espalier

#endif  // defined(__aarch64__)
