#pragma once

#include "kernels/kernel_types.h"

namespace espalier {

// One per translation unit of this directory. On another architecture a unit is empty and its table is not
// declared.
extern const KernelTable kScalarKernels;
#if defined(__x86_64__)
extern const KernelTable kAvx2Kernels;
extern const KernelTable kAvx512Kernels;
#endif
#if defined(__aarch64__)
extern const KernelTable kNeonKernels;
#endif

}  // namespace espalier
