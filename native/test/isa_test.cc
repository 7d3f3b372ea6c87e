#include "isa/isa.h"

#include <gtest/gtest.h>

#include <string>

#include "core/error.h"

namespace espalier {
namespace {

TEST(Isa, TablesAreCompleteAndNamed) {
  ASSERT_FALSE(AvailableKernels().empty());
  EXPECT_STREQ(AvailableKernels().front()->isa, "scalar");
  for (const KernelTable* table : AvailableKernels()) {
#define ESPALIER_KERNEL(Type, name) EXPECT_NE(table->name, nullptr) << table->isa << " lacks " #name;
#include "kernels/kernels.inc"
#undef ESPALIER_KERNEL
    EXPECT_EQ(&SelectKernels(table->isa), table);
  }
}

TEST(Isa, AutoIsTheFastest) { EXPECT_EQ(&SelectKernels("auto"), AvailableKernels().back()); }

TEST(Isa, AnUnknownNameListsWhatIsThere) {
  try {
    SelectKernels("altivec");
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kArgument);
    EXPECT_NE(std::string(error.what()).find("\"altivec\""), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("\"scalar\""), std::string::npos);
  }
}

}  // namespace
}  // namespace espalier
