#include "isa/tables.h"
#include "kernels/macros.h"

namespace espalier {
namespace scalar {
namespace {
#include "kernels/vec_scalar.h"
//
#include "kernels/all-inl.h"
}  // namespace
}  // namespace scalar

const KernelTable kScalarKernels = {
    "scalar",
#define ESPALIER_KERNEL(Type, name) scalar::name,
#include "kernels/kernels.inc"
#undef ESPALIER_KERNEL
};

}  // namespace espalier
