#include "base/text/run_reference.h"

#include <gtest/gtest.h>

namespace lacuna {
namespace {

TEST(RunReference, IsReadAsItWasWritten) {
  EXPECT_EQ(reference_to_run("4f2a"), "run:4f2a");
  EXPECT_EQ(referenced_run("run:4f2a"), "4f2a");
}

TEST(RunReference, FilesAndPathsAreNone) {
  EXPECT_EQ(referenced_run("file:4f2a"), std::nullopt);
  EXPECT_EQ(referenced_run("runs/4f2a"), std::nullopt);
  EXPECT_EQ(referenced_run(""), std::nullopt);
}

}  // namespace
}  // namespace lacuna
