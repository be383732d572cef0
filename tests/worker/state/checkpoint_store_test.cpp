#include "worker/state/checkpoint_store.h"

#include <cstdlib>
#include <fstream>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files/temporary_directory.h"
#include "base/text/json.h"
#include "tests/base/faulty_file_system.h"

namespace lacuna::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class CheckpointStoreTest : public ::testing::Test {
 protected:
  CheckpointStoreTest() {
    std::filesystem::create_directories(folder_ / "stash");
    std::filesystem::create_directories(folder_ / "checkpoints");
  }
  static std::map<std::string, std::vector<std::byte>> contents(int seed) {
    std::vector<std::byte> model(1000);
    for (std::size_t i = 0; i < model.size(); ++i) model[i] = static_cast<std::byte>(i * seed);
    return {{"model.safetensors", model}, {"state.json", {std::byte{'{'}, std::byte{'}'}}}};
  }
  std::vector<std::string> names() { return posix_file_system().list(folder_ / "checkpoints"); }
  void damage(std::int64_t step) { flip_byte(store_.path(step) / "model.safetensors", 500); }
  void flip_byte(const Path& path, std::streamoff at) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(at);
    const char byte = static_cast<char>(file.get() ^ 1);
    file.seekp(at);
    file.put(byte);
  }

  TemporaryDirectory folder_;
  FaultyFileSystem files_{folder_ / "stash"};
  CheckpointStore store_{files_, folder_ / "checkpoints", 2};
};

TEST_F(CheckpointStoreTest, ReadsBackTheNewest) {
  store_.save(10, contents(1));
  store_.save(20, contents(2));
  EXPECT_EQ(store_.newest_valid(nullptr), 20);
  EXPECT_EQ(store_.path(20).filename(), "step-00000020");
  EXPECT_EQ(files_.read(store_.path(20) / "model.safetensors"), contents(2)["model.safetensors"]);
}

TEST_F(CheckpointStoreTest, AnEmptyDirectoryHasNone) {
  EXPECT_EQ(store_.newest_valid(nullptr), std::nullopt);
}

TEST_F(CheckpointStoreTest, FallsBackAndSaysWhyWhenTheNewestIsDamaged) {
  store_.save(10, contents(1));
  const auto reason = [&](const std::function<void(const Path&)>& damage) {
    store_.save(20, contents(2));
    damage(store_.path(20));
    std::string text;
    EXPECT_EQ(store_.newest_valid([&](const Path&, const std::string& why) { text = why; }), 10);
    return text;
  };
  EXPECT_EQ(reason([&](const Path& path) { flip_byte(path / "model.safetensors", 500); }),
            "model.safetensors does not match its checksum");
  EXPECT_EQ(reason([&](const Path& path) {
              std::filesystem::resize_file(path / "model.safetensors", 999);
            }),
            "model.safetensors has 999 bytes, the manifest says 1000");
  EXPECT_EQ(reason([&](const Path& path) { std::filesystem::remove(path / "state.json"); }),
            "state.json is missing");
  EXPECT_EQ(reason([&](const Path& path) { std::filesystem::remove(path / "manifest.json"); }),
            "it has no manifest.json");
  EXPECT_THAT(
      reason([&](const Path& path) { std::filesystem::resize_file(path / "manifest.json", 40); }),
      HasSubstr("manifest.json is damaged"));
}

// Whichever call fails, and with a power cut right after: the older checkpoint stays, the newer
// one is whole or not there.
TEST_F(CheckpointStoreTest, SurvivesAPowerCutAtEveryCallOfASave) {
  store_.save(10, contents(1));
  for (const auto names : {FaultyFileSystem::Names::kLost, FaultyFileSystem::Names::kKept}) {
    bool failed = true;
    for (std::int64_t call = 0; failed; ++call) {
      files_.calls_before_failure = call;
      failed = false;
      try {
        store_.save(20, contents(2));
      } catch (const DataError&) {
        failed = true;
      }
      files_.calls_before_failure = std::numeric_limits<std::int64_t>::max();
      files_.crash(names);
      const auto newest = store_.newest_valid(nullptr);
      ASSERT_TRUE(newest == 10 || newest == 20) << "call " << call;
      if (!failed) {
        EXPECT_EQ(newest, 20);
      }
      EXPECT_EQ(store_.problem(store_.path(10)), std::nullopt) << "call " << call;
      if (newest == 20) std::filesystem::remove_all(store_.path(20));
    }
  }
}

TEST_F(CheckpointStoreTest, AFullDiskLeavesTheOlderOneAndTheNextSaveWorks) {
  store_.save(10, contents(1));
  files_.free_bytes = 700;
  EXPECT_THROW(store_.save(20, contents(2)), DataError);
  EXPECT_THAT(names(), ElementsAre("step-00000010")) << "what it took is not given back";
  EXPECT_EQ(store_.newest_valid(nullptr), 10);
  files_.free_bytes = 1 << 20;
  store_.save(20, contents(2));
  EXPECT_EQ(store_.newest_valid(nullptr), 20);
}

TEST_F(CheckpointStoreTest, PruningKeepsTheNewestAndTheBest) {
  for (const int step : {10, 20, 30, 40}) store_.save(step, contents(step));
  std::filesystem::create_directories(folder_ / "checkpoints" / "step-00000050.partial");
  store_.prune({10});
  EXPECT_THAT(store_.steps(), ElementsAre(40, 30, 10));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "checkpoints" / "step-00000050.partial"));
}

// Deletion that is interrupted anywhere, and by a power cut: a directory under its final name is
// whole, or does not pass for whole; and the next deletion ends it.
TEST_F(CheckpointStoreTest, AnInterruptedDeletionNeverLooksValid) {
  for (const auto kept : {FaultyFileSystem::Names::kLost, FaultyFileSystem::Names::kKept}) {
    bool failed = true;
    for (std::int64_t call = 0; failed; ++call) {
      ASSERT_LT(call, 100);
      CheckpointStore store(files_, folder_ / "checkpoints", 2);
      for (const int step : {10, 20, 30}) store.save(step, contents(step));
      files_.calls_before_failure = call;
      failed = !store.prune({}).empty();
      files_.calls_before_failure = std::numeric_limits<std::int64_t>::max();
      files_.crash(kept);
      for (const std::int64_t step : store.steps()) {
        EXPECT_EQ(store.problem(store.path(step)), std::nullopt) << "call " << call;
      }
      for (const std::int64_t step : {20, 30}) {
        EXPECT_EQ(store.problem(store.path(step)), std::nullopt) << "call " << call;
      }
      EXPECT_TRUE(store.prune({}).empty());
      EXPECT_THAT(names(), ElementsAre("step-00000020", "step-00000030")) << "call " << call;
    }
  }
}

// What was there before a restart counts only when it has been verified.
TEST_F(CheckpointStoreTest, DamagedOnesDoNotPushOutTheLastValidOne) {
  for (const int step : {200, 300, 400, 500}) store_.save(step, contents(step));
  for (const int step : {400, 500}) damage(step);
  CheckpointStore again(files_, folder_ / "checkpoints", 2);
  std::vector<std::string> told;
  EXPECT_EQ(again.claim([&](const Path& path, const std::string&) {
    told.push_back(path.filename().string());
  }),
            300);
  EXPECT_THAT(told, ElementsAre("step-00000500", "step-00000400"));
  EXPECT_THAT(names(), ElementsAre("step-00000200", "step-00000300", "step-00000400.rejected",
                                   "step-00000500.rejected"));
  again.save(350, contents(350));
  EXPECT_TRUE(again.prune({}).empty());
  EXPECT_THAT(again.steps(), ElementsAre(350, 300));
  EXPECT_EQ(again.newest_valid(nullptr), 350);
}

// Even where nobody may rename them.
TEST_F(CheckpointStoreTest, NewerOnesThatNobodyVouchesForCostNothing) {
  for (const int step : {300, 400, 500}) store_.save(step, contents(step));
  for (const int step : {400, 500}) damage(step);
  CheckpointStore again(files_, folder_ / "checkpoints", 2);
  EXPECT_TRUE(again.vouch(300));
  EXPECT_FALSE(again.vouch(400));
  again.save(350, contents(350));
  again.prune({});
  EXPECT_THAT(again.steps(), ElementsAre(500, 400, 350, 300));
}

TEST_F(CheckpointStoreTest, TheOneJustSavedIsNeverPruned) {
  for (const int step : {300, 400, 500}) store_.save(step, contents(step));
  store_.save(350, contents(350));
  store_.prune({});
  EXPECT_THAT(store_.steps(), ElementsAre(500, 400, 350));
}

TEST_F(CheckpointStoreTest, AfterARestartOldOnesStayUntilThereAreEnoughNewOnes) {
  for (const int step : {10, 20, 30}) store_.save(step, contents(step));
  CheckpointStore again(files_, folder_ / "checkpoints", 2);
  EXPECT_EQ(again.claim(nullptr), 30);
  again.prune({});
  EXPECT_THAT(again.steps(), ElementsAre(30, 20, 10)) << "one alone is vouched for";
  again.save(40, contents(40));
  again.prune({10});
  EXPECT_THAT(again.steps(), ElementsAre(40, 30, 10));
  EXPECT_TRUE(again.vouches_for(30));
  EXPECT_FALSE(again.vouches_for(20));
}

// A storage that cannot be read today may be whole tomorrow.
TEST_F(CheckpointStoreTest, WhatCannotBeReadIsPassedOverAndKeepsItsName) {
  for (const int step : {10, 20}) store_.save(step, contents(step));
  std::filesystem::remove(store_.path(20) / "state.json");
  std::filesystem::create_directory(store_.path(20) / "state.json");  // read() fails: EISDIR
  std::string why;
  EXPECT_EQ(store_.claim([&](const Path&, const std::string& reason) { why = reason; }), 10);
  EXPECT_THAT(why, HasSubstr("Is a directory"));
  EXPECT_THAT(names(), ElementsAre("step-00000010", "step-00000020"));
}

// The step of a stop is saved again when the run goes on and stops there once more.
TEST_F(CheckpointStoreTest, SavingAStepAgainIsSafeAtEveryCall) {
  for (const auto kept : {FaultyFileSystem::Names::kLost, FaultyFileSystem::Names::kKept}) {
    bool failed = true;
    for (std::int64_t call = 0; failed; ++call) {
      ASSERT_LT(call, 100);
      CheckpointStore store(files_, folder_ / "checkpoints", 2);
      store.save(20, contents(2));
      files_.calls_before_failure = call;
      failed = false;
      try {
        store.save(20, contents(3));
      } catch (const DataError&) {
        failed = true;
      }
      files_.calls_before_failure = std::numeric_limits<std::int64_t>::max();
      files_.crash(kept);
      CheckpointStore again(files_, folder_ / "checkpoints", 2);
      ASSERT_EQ(again.claim(nullptr), 20) << "call " << call;
      const auto model = files_.read(again.path(20) / "model.safetensors");
      EXPECT_TRUE(model == contents(3)["model.safetensors"] ||
                  (failed && model == contents(2)["model.safetensors"]));
      EXPECT_THAT(names(), ElementsAre("step-00000020")) << "call " << call;
      std::filesystem::remove_all(again.path(20));
    }
  }
}

TEST_F(CheckpointStoreTest, WhatCannotBeRemovedIsToldOnceAndTriedAgain) {
  for (const int step : {10, 20, 30}) store_.save(step, contents(step));
  files_.unremovable = "model.safetensors";
  const auto told = store_.prune({});
  ASSERT_EQ(told.size(), 1);
  EXPECT_THAT(told[0], HasSubstr("cannot remove: Operation not permitted"));
  EXPECT_TRUE(store_.prune({}).empty());
  EXPECT_THAT(store_.steps(), ElementsAre(30, 20)) << "half of it passes for a checkpoint";
  store_.save(40, contents(40));
  store_.prune({});
  EXPECT_THAT(store_.steps(), ElementsAre(40, 30));
  files_.unremovable.clear();
  EXPECT_TRUE(store_.prune({}).empty());
  EXPECT_THAT(names(), ElementsAre("step-00000030", "step-00000040"));
}

// The same with the real file system, where it knows such files.
TEST_F(CheckpointStoreTest, AnImmutableFileCostsAWarning) {
  CheckpointStore store(posix_file_system(), folder_ / "checkpoints", 2);
  store.save(10, contents(1));
  const std::string file = store.path(10) / "model.safetensors";
  const auto set = [](const std::string& flag, const std::string& path) {
    return std::system(("chattr " + flag + " '" + path + "' 2> /dev/null").c_str()) == 0;
  };
  if (!set("+i", file)) GTEST_SKIP() << "no immutable files here (needs root and chattr)";
  for (const int step : {20, 30}) store.save(step, contents(step));
  const auto told = store.prune({});
  EXPECT_EQ(told.size(), 1);
  EXPECT_THAT(store.steps(), ElementsAre(30, 20));
  for (const std::string& name : names()) {
    if (name.starts_with("step-00000010")) {
      set("-i", folder_ / "checkpoints" / name / "model.safetensors");
    }
  }
  EXPECT_TRUE(store.prune({}).empty());
  EXPECT_THAT(names(), ElementsAre("step-00000020", "step-00000030"));
}

// A manifest that somebody made must not lead out of its directory.
TEST_F(CheckpointStoreTest, AManifestNamesFilesOfItsOwnDirectoryOnly) {
  store_.save(10, contents(1));
  write_durably(posix_file_system(), folder_ / "outside", std::string("x"));
  for (const std::string& name : {std::string("../outside"), (folder_ / "outside").string(),
                                  std::string(".."), std::string("a/b"), std::string()}) {
    const Json manifest = {
        {"format", 1}, {"step", 10}, {"files", {{name, {{"bytes", 1}, {"xxh3", "0"}}}}}};
    write_durably(posix_file_system(), store_.path(10) / "manifest.json", manifest.dump());
    EXPECT_THAT(store_.problem(store_.path(10)).value_or(""),
                HasSubstr("which is not a file of the checkpoint"))
        << name;
  }
}

}  // namespace
}  // namespace lacuna::worker
