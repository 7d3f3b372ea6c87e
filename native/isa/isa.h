#pragma once

#include <string>
#include <vector>

#include "kernels/kernel_types.h"

namespace espalier {

// The tables of this build, slowest first: "scalar", "avx2", "avx512" on x86-64; "scalar", "neon" on ARM64.
// One whose instructions this CPU (and its operating system) lacks is not listed.
const std::vector<const KernelTable*>& AvailableKernels();

// The table called `isa`, or the fastest one when `isa` is "auto".
// Throws Error{kArgument} that lists what is available.
const KernelTable& SelectKernels(const std::string& isa);

}  // namespace espalier
