#pragma once

// What the kernel tests share. Every kernel runs on every instruction set of this build; one the CPU lacks is
// skipped.

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "isa/isa.h"

namespace espalier {

// Names of the kernels that have a test; kernel_coverage_test.cc compares them with kernels.inc.
inline std::set<std::string>& CoveredKernels() {
  static std::set<std::string> names;
  return names;
}

// `kernel` names an entry of KernelTable, or this does not compile.
template <typename Kernel>
bool CoverKernel(const char* name, Kernel KernelTable::*) {
  return CoveredKernels().insert(name).second;
}

// The parameter is the name of an instruction set.
class KernelTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    for (const KernelTable* table : AvailableKernels()) {
      if (GetParam() == table->isa) kernels_ = table;
    }
    if (kernels_ == nullptr) GTEST_SKIP() << "this CPU has no " << GetParam();
  }
  const KernelTable& kernels() const { return *kernels_; }

 private:
  const KernelTable* kernels_ = nullptr;
};

#if defined(__x86_64__)
#define ESPALIER_TEST_ISAS "scalar", "avx2", "avx512"
#elif defined(__aarch64__)
#define ESPALIER_TEST_ISAS "scalar", "neon"
#else
#define ESPALIER_TEST_ISAS "scalar"
#endif

// A suite of kernel tests; one in each test file.
#define ESPALIER_KERNEL_SUITE(Suite)                                        \
  class Suite : public KernelTest {};                                       \
  INSTANTIATE_TEST_SUITE_P(Isa, Suite, testing::Values(ESPALIER_TEST_ISAS), \
                           [](const auto& parameter) { return parameter.param; })

// A test of one kernel of the table.
#define ESPALIER_KERNEL_TEST(Suite, kernel, Case)                                                     \
  [[maybe_unused]] const bool covered_##kernel##_##Case = CoverKernel(#kernel, &KernelTable::kernel); \
  TEST_P(Suite, kernel##_##Case)

}  // namespace espalier
