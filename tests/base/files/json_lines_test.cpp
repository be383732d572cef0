#include "base/files/json_lines.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files/temporary_directory.h"

namespace lacuna {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> lines_of(const std::filesystem::path& path) {
  std::vector<std::string> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

TEST(JsonLines, AppendsOneObjectPerLine) {
  const TemporaryDirectory folder;
  { JsonLines(folder / "metrics").append({{"step", 1}}); }
  { JsonLines(folder / "metrics").append({{"step", 2}}); }
  EXPECT_THAT(lines_of(folder / "metrics"), ElementsAre("{\"step\":1}", "{\"step\":2}"));
}

TEST(JsonLines, ReopeningDropsLaterStepsAndTornLines) {
  const TemporaryDirectory folder;
  std::ofstream(folder / "metrics")
      << "{\"step\":10}\n{\"st\n{\"step\":20}\n{\"step\":30}\n{\"step\":2";
  JsonLines lines(folder / "metrics", 20);
  lines.append({{"step", 30}});
  EXPECT_THAT(lines_of(folder / "metrics"),
              ElementsAre("{\"step\":10}", "{\"step\":20}", "{\"step\":30}"));
}

// A last line without its newline may have lost its end even where it parses.
TEST(JsonLines, ALineWithoutItsEndIsTorn) {
  const TemporaryDirectory folder;
  std::ofstream(folder / "metrics") << "{\"step\":10}\n{\"step\":20}";
  JsonLines lines(folder / "metrics", 30);
  EXPECT_THAT(lines_of(folder / "metrics"), ElementsAre("{\"step\":10}"));
}

TEST(JsonLines, ALineThatAnotherProcessDidNotFinishTakesNoneWithIt) {
  const TemporaryDirectory folder;
  std::ofstream(folder / "metrics") << "{\"step\":10}\n{\"st";
  append_durably(folder / "metrics", {{"step", 20}});
  append_durably(folder / "metrics", {{"step", 30}});
  EXPECT_THAT(lines_of(folder / "metrics"),
              ElementsAre("{\"step\":10}", "{\"st", "{\"step\":20}", "{\"step\":30}"));
}

TEST(JsonLines, AFullDiskStopsNothing) {
  JsonLines lines("/dev/full");
  EXPECT_FALSE(lines.append({{"step", 1}}));
  EXPECT_FALSE(lines.append({{"step", 2}}));
}

TEST(JsonLines, WhatMustBeOnDiskIsAnErrorWhereItCannotBe) {
  try {
    append_durably("/dev/full", {{"step", 1}});
    FAIL() << "no error";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("/dev/full"), HasSubstr("No space left on device"),
                                    HasSubstr("Free space")));
  }
}

}  // namespace
}  // namespace lacuna
