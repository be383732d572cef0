#include "base/files/json_lines.h"

#include <cerrno>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files/temporary_directory.h"
#include "tests/base/system_calls.h"

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

// A line that finds no space leaves no piece of itself and is written, in order, when it can be.
TEST(JsonLines, WhatFoundNoSpaceIsWrittenLater) {
  const TemporaryDirectory folder;
  SystemCalls calls(folder.path());
  JsonLines lines(folder / "metrics");
  EXPECT_TRUE(lines.append({{"step", 1}}));
  calls.fill_disk_after(4);
  EXPECT_FALSE(lines.append({{"step", 2}}));
  EXPECT_FALSE(lines.append({{"step", 3}}));
  EXPECT_FALSE(lines.sync()) << "a checkpoint would rely on lines that are not there";
  EXPECT_THAT(lines_of(folder / "metrics"), ElementsAre("{\"step\":1}"));
  EXPECT_EQ(std::filesystem::file_size(folder / "metrics"), 11) << "a torn line is left";
  calls.free_disk();
  EXPECT_TRUE(lines.append({{"step", 4}}));
  EXPECT_THAT(lines_of(folder / "metrics"),
              ElementsAre("{\"step\":1}", "{\"step\":2}", "{\"step\":3}", "{\"step\":4}"));
}

TEST(JsonLines, TheLastLinesAreTriedOnceMoreAtTheEnd) {
  const TemporaryDirectory folder;
  SystemCalls calls(folder.path());
  {
    JsonLines lines(folder / "metrics");
    calls.fill_disk_after(4);
    EXPECT_FALSE(lines.append({{"step", 2}}));
    calls.free_disk();
  }
  EXPECT_THAT(lines_of(folder / "metrics"), ElementsAre("{\"step\":2}"));
}

TEST(JsonLines, APieceThatCannotBeTakenBackIsALineOfItsOwn) {
  const TemporaryDirectory folder;
  SystemCalls calls(folder.path());
  JsonLines lines(folder / "metrics");
  calls.fill_disk_after(4);
  calls.fail("ftruncate", EPERM);
  EXPECT_FALSE(lines.append({{"step", 2}}));
  calls.free_disk();
  EXPECT_TRUE(lines.append({{"step", 3}}));
  EXPECT_THAT(lines_of(folder / "metrics"), ElementsAre("{\"st", "{\"step\":2}", "{\"step\":3}"));
}

TEST(JsonLines, ADurableLineIsSyncedAndANewFileWithItsName) {
  const TemporaryDirectory folder;
  const std::string top = folder.path().filename().string();
  const auto syncs = [&](const SystemCalls& calls) {
    std::vector<std::string> made = calls.made();
    std::erase_if(made, [](const std::string& call) { return !call.starts_with("fsync "); });
    return made;
  };
  {
    SystemCalls calls(folder.path());
    append_durably(folder / "events", {{"step", 1}});
    EXPECT_THAT(syncs(calls), ElementsAre("fsync events", "fsync " + top));
  }
  SystemCalls calls(folder.path());
  append_durably(folder / "events", {{"step", 2}});
  EXPECT_THAT(syncs(calls), ElementsAre("fsync events"));
  calls.fail("fsync", EIO);
  EXPECT_THROW(append_durably(folder / "events", {{"step", 3}}), DataError);
}

TEST(JsonLines, ATextThatIsNotUtf8CostsNoLine) {
  const TemporaryDirectory folder;
  JsonLines lines(folder / "events");
  EXPECT_TRUE(lines.append({{"path", "c\xe9"}}));
  EXPECT_EQ(lines_of(folder / "events").size(), 1);
}

TEST(JsonLines, ALineWithAnOddStepIsKept) {
  const TemporaryDirectory folder;
  std::ofstream(folder / "metrics") << "{\"step\":\"x\"}\n{\"step\":30}\n";
  JsonLines lines(folder / "metrics", 20);
  EXPECT_THAT(lines_of(folder / "metrics"), ElementsAre("{\"step\":\"x\"}"));
}

}  // namespace
}  // namespace lacuna
