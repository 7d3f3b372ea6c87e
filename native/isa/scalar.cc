#include "isa/tables.h"
#include "kernels/macros.h"

namespace espalier {
namespace scalar {
namespace {
// clang-format off: each uses the names of the one before
#include "kernels/all-inl.h"
#include "kernels/vec_scalar.h"
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
