#include "worker/state/checkpoint_store.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files/temporary_directory.h"
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

// Deletion that is interrupted anywhere must not leave a directory that passes for whole.
TEST_F(CheckpointStoreTest, AnInterruptedDeletionNeverLooksValid) {
  for (std::int64_t call = 0; call < 6; ++call) {
    for (const int step : {10, 20, 30}) store_.save(step, contents(step));
    files_.calls_before_failure = call;
    try {
      store_.prune({});
    } catch (const DataError&) {
    }
    files_.calls_before_failure = std::numeric_limits<std::int64_t>::max();
    const auto left = store_.steps();
    if (std::find(left.begin(), left.end(), 10) == left.end()) continue;
    const bool manifest = std::filesystem::exists(store_.path(10) / "manifest.json");
    EXPECT_EQ(store_.problem(store_.path(10)).has_value(), !manifest);
  }
}

}  // namespace
}  // namespace lacuna::worker
