#include "isa/isa.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "core/error.h"
#include "isa/tables.h"

namespace espalier {
namespace {

#if defined(__x86_64__)
// Conversions of half precision, which use the registers of AVX. Not every compiler's CPU model knows them.
bool HasHalfPrecision() {
  unsigned int eax = 0;
  unsigned int ebx = 0;
  unsigned int ecx = 0;
  unsigned int edx = 0;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}
#endif

std::vector<const KernelTable*> DetectKernels() {
  std::vector<const KernelTable*> tables = {&kScalarKernels};
#if defined(__x86_64__)
  // The compiler's CPU model also asks XGETBV whether the operating system saves the wide registers.
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && HasHalfPrecision()) {
    tables.push_back(&kAvx2Kernels);
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
      tables.push_back(&kAvx512Kernels);
    }
  }
#endif
#if defined(__aarch64__)
  tables.push_back(&kNeonKernels);  // every ARM64 CPU has NEON
#endif
  return tables;
}

}  // namespace

const std::vector<const KernelTable*>& AvailableKernels() {
  static const std::vector<const KernelTable*> tables = DetectKernels();
  return tables;
}

const KernelTable& SelectKernels(const std::string& isa) {
  if (isa == "auto") return *AvailableKernels().back();
  std::string names = "\"auto\"";
  for (const KernelTable* table : AvailableKernels()) {
    if (isa == table->isa) return *table;
    names += std::string(", \"") + table->isa + "\"";
  }
  throw Error(ErrorCode::kArgument,
              "Expected an instruction set this CPU has (" + names + "), got \"" + isa + "\"");
}

}  // namespace espalier
