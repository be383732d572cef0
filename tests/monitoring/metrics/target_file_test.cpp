#include "monitoring/metrics/target_file.h"

#include <chrono>
#include <csignal>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files/temporary_directory.h"

namespace lacuna::monitoring {
namespace {

namespace fs = std::filesystem;

const Target kTarget{"first-0a1b2c", "127.0.0.1:4711", "12_3"};

Json content(const fs::path& path) { return Json::parse(std::ifstream(path)); }

TEST(TargetFile, IsThereWhileTheObjectLivesAndSaysWhereAndWhat) {
  const TemporaryDirectory directory;
  fs::path path;
  {
    const TargetFile file(directory / "made/for/it", kTarget);
    path = file.path();
    EXPECT_EQ(path.filename(), "lacuna-first-0a1b2c-12_3.json");
    const Json target = content(path).at(0);
    EXPECT_EQ(target.at("targets"), Json({"127.0.0.1:4711"}));
    EXPECT_EQ(target.at("labels").at("run"), "first-0a1b2c");
    for (const auto& [name, value] : target.at("labels").items()) {
      EXPECT_TRUE(name == "run" || name.starts_with("__meta_")) << name;  // the rest is dropped
    }
    // Nothing but the file: no half-written one, whatever name it would have.
    EXPECT_EQ(std::distance(fs::directory_iterator(path.parent_path()), {}), 1);
  }
  EXPECT_FALSE(fs::exists(path));
}

TEST(TargetFile, OfAKilledProcessIsSweptByTheNextRun) {
  const TemporaryDirectory directory;
  const pid_t child = ::fork();
  if (child == 0) {
    const TargetFile file(directory.path(), {"dead", "127.0.0.1:1", "1"});
    ::kill(::getpid(), SIGKILL);
  }
  ::waitpid(child, nullptr, 0);
  ASSERT_TRUE(fs::exists(directory / "lacuna-dead-1.json"));
  const TargetFile alive(directory.path(), {"alive", "127.0.0.1:2", "2"});
  std::ofstream(directory / "lacuna-mine.json") << R"([{"targets": ["of:somebody"]}])";
  std::ofstream(directory / "lacuna-torn.json") << R"([{"tar)";
  std::ofstream(directory / "other.json") << "[]";
  EXPECT_EQ(sweep_targets(directory.path()), 0);
  EXPECT_FALSE(fs::exists(directory / "lacuna-dead-1.json"));
  for (const char* name :
       {"lacuna-alive-2.json", "lacuna-mine.json", "lacuna-torn.json", "other.json"}) {
    EXPECT_TRUE(fs::exists(directory / name)) << name;
  }
}

TEST(TargetFile, OfAnotherHostIsSweptWhenItIsNotRefreshed) {
  const TemporaryDirectory directory;
  const fs::path path = directory / "lacuna-far-7.json";
  const auto write = [&](double age) {
    std::ofstream(path) << R"([{"targets": ["far:1"], "labels": {"run": "far",
      "__meta_lacuna_host": "far", "__meta_lacuna_pid": "1", "__meta_lacuna_start": "1"}}])";
    fs::last_write_time(
        path, fs::file_time_type::clock::now() - std::chrono::seconds(static_cast<int>(age)));
  };
  write(TargetFile::kStaleSeconds / 2);
  EXPECT_EQ(sweep_targets(directory.path()), 0);
  write(TargetFile::kStaleSeconds * 2);
  EXPECT_EQ(sweep_targets(directory.path()), 1);
  EXPECT_FALSE(fs::exists(path));
}

TEST(TargetFile, ComesBackWhenSomebodyHasRemovedIt) {
  const TemporaryDirectory directory;
  TargetFile file(directory.path(), kTarget);
  fs::last_write_time(file.path(), fs::file_time_type::clock::now() - std::chrono::hours(1));
  file.refresh();
  EXPECT_LT(fs::file_time_type::clock::now() - fs::last_write_time(file.path()),
            std::chrono::minutes(1));
  fs::remove(file.path());
  file.refresh();
  EXPECT_EQ(content(file.path()).at(0).at("targets"), Json({"127.0.0.1:4711"}));
}

TEST(TargetFile, APlaceThatCannotBeWrittenIsAnError) {
  const TemporaryDirectory directory;
  std::ofstream(directory / "file") << "in the way";
  EXPECT_THROW(TargetFile(directory / "file/targets", kTarget), Error);
}

}  // namespace
}  // namespace lacuna::monitoring
