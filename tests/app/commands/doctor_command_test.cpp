#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text/json.h"
#include "tests/run_program.h"

namespace lacuna {
namespace {

using ::testing::HasSubstr;

TEST(DoctorCommand, PrintsFindingsAsJsonWithItsExitCode) {
  const TemporaryDirectory directory;
  const auto result =
      run_program(fmt::format("doctor --json --dir '{}'", directory.path().string()));
  const Json json = Json::parse(result.out);
  EXPECT_EQ(result.code, json["ok"].get<bool>() ? 0 : 1) << result.out;
  std::string names;
  bool bad = false;
  for (const Json& finding : json["findings"]) {
    bad |= finding["verdict"] == "problem";
    names += finding["name"].get<std::string>() + ";";
    EXPECT_EQ(finding["advice"].get<std::string>().empty(), finding["verdict"] == "good");
  }
  EXPECT_EQ(json["ok"], !bad);
  for (const char* name : {"lacuna;", "compiler;", "LibTorch;", "HDF5;", "cores;", "instructions;",
                           "memory;", "open files;", "/dev/shm;", "CUDA runtime;", "cuDNN;",
                           "driver;", "free space;", "durable write;"}) {
    EXPECT_THAT(names, HasSubstr(name));
  }
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

TEST(DoctorCommand, EndsWithOneWhenTheDirectoryCannotBeWritten) {
  const TemporaryDirectory directory;
  const auto result =
      run_program(fmt::format("doctor --dir '{}'", (directory / "absent").string()));
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.out, HasSubstr("BAD  durable write"));
  EXPECT_THAT(result.out, HasSubstr("-> "));
}

TEST(DoctorCommand, NamesACacheThatCannotBeRead) {
  const TemporaryDirectory directory;
  const auto result =
      run_program(fmt::format("doctor --dir '{0}' --data '{0}/cache'", directory.path().string()));
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.out, HasSubstr(directory.path().string() + "/cache"));
}

}  // namespace
}  // namespace lacuna
