#include "isa/tables.h"
#include "kernels/macros.h"

namespace espalier {
namespace scalar {
namespace {
// Each file uses the names of the one before.
// clang-format off
#include "kernels/vec_scalar.h"
#include "kernels/all-inl.h"
// clang-format on
}  // namespace
}  // namespace scalar

const KernelTable kScalarKernels = {
    "scalar",
#define ESPALIER_KERNEL(Type, name) scalar::name,
#include "kernels/kernels.inc"
#undef ESPALIER_KERNEL
};

}  // namespace espalier
