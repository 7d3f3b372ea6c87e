#include "isa/isa.h"

#include "core/error.h"
#include "isa/tables.h"

namespace espalier {
namespace {

std::vector<const KernelTable*> DetectKernels() {
  std::vector<const KernelTable*> tables = {&kScalarKernels};
#if defined(__x86_64__)
  // The compiler's CPU model also asks XGETBV whether the operating system saves the wide registers.
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    tables.push_back(&kAvx2Kernels);
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
      tables.push_back(&kAvx512Kernels);
    }
  }
#endif
  // NEON (ARM64, where every CPU has it): push_back(&kNeonKernels).
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
