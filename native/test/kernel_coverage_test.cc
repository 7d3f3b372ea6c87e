#include <gtest/gtest.h>

#include "kernel_test.h"

namespace espalier {
namespace {

TEST(KernelCoverage, EveryKernelHasATest) {
#define ESPALIER_KERNEL(Type, name)                                            \
  EXPECT_EQ(CoveredKernels().count(#name), 1u) << "kernels.inc lists " #name   \
                                                  ", no ESPALIER_KERNEL_TEST " \
                                                  "does";
#include "kernels/kernels.inc"
#undef ESPALIER_KERNEL
}

}  // namespace
}  // namespace espalier
