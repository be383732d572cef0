#include "base/process/build_info.h"

#include <gtest/gtest.h>

namespace lacuna {
namespace {

TEST(BuildInfo, NamesVersionCommitAndCompiler) {
  const BuildInfo& info = build_info();
  EXPECT_EQ(info.version.find_first_not_of("0123456789."), std::string::npos) << info.version;
  EXPECT_TRUE(info.commit == "unknown" || info.commit.size() >= 7) << info.commit;
  EXPECT_NE(info.compiler.find("GCC "), std::string::npos);
  EXPECT_EQ(info.arch, "x86-64-v3");
}

}  // namespace
}  // namespace lacuna
