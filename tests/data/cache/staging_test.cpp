#include "data/cache/staging.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files/temporary_directory.h"
#include "data/cache/case_file.h"
#include "tests/data/toy_cohort.h"

namespace lacuna::data {
namespace {

namespace fs = std::filesystem;

// The first stored voxel of a case's first modality.
float first_voxel(const CaseFile* file) {
  float value = -1;
  if (file) file->read_image(0, file->info().box_offset, {1, 1, 1}, &value);
  return value;
}
float first_voxel(const Cohort& cohort, std::size_t index) {
  const CaseFile file(cohort, cohort.cases[index]);
  return first_voxel(&file);
}

class Staging : public ::testing::TestWithParam<std::string> {
 protected:
  std::string where() const {
    return GetParam() == "memory" ? "memory" : (folder_ / "scratch").string();
  }
  TemporaryDirectory folder_;
};

TEST_P(Staging, CopiesTheRanksOwnCasesAndReadsTheCopies) {
  const ToyCohort toy(3);
  const StagedCases staged(toy.cohort(), {0, 2}, where());
  EXPECT_EQ(staged.copied_bytes(), fs::file_size(toy.file(0)) + fs::file_size(toy.file(2)));
  const float first = first_voxel(toy.cohort(), 0), third = first_voxel(toy.cohort(), 2);
  fs::remove(toy.file(0));
  fs::remove(toy.file(2));
  EXPECT_EQ(first_voxel(staged.find(0)), first);
  EXPECT_EQ(first_voxel(staged.find(2)), third);
  EXPECT_EQ(staged.find(1), nullptr);
}

INSTANTIATE_TEST_SUITE_P(Places, Staging, ::testing::Values("memory", "directory"));

TEST(StagingInADirectory, UsesWholeCopiesAgainAndReplacesDamagedOnes) {
  const ToyCohort toy(2);
  const TemporaryDirectory folder;
  const std::string where = folder.path().string();
  { const StagedCases first(toy.cohort(), {0, 1}, where); }
  const StagedCases second(toy.cohort(), {0, 1}, where);
  EXPECT_EQ(second.copied_bytes(), 0u);
  const fs::path copy = folder / toy.cohort().fingerprint / "toy1.h5";
  std::fstream file(copy, std::ios::in | std::ios::out);
  file.seekp(static_cast<std::streamoff>(fs::file_size(copy)) / 2);
  file.put('\x7f');
  file.close();
  const StagedCases third(toy.cohort(), {0, 1}, where);
  EXPECT_GT(third.copied_bytes(), 0u);
  EXPECT_EQ(first_voxel(third.find(1)), first_voxel(toy.cohort(), 1));
}

TEST(StagingInMemory, LeavesNoNameBehind) {
  const ToyCohort toy(1);
  const auto ours = [] {
    int count = 0;
    for (const auto& entry : fs::directory_iterator("/dev/shm")) {
      const std::string name = entry.path().filename();
      count += name.find("lacuna-case-" + std::to_string(::getpid())) != std::string::npos;
    }
    return count;
  };
  const StagedCases staged(toy.cohort(), {0}, "memory");
  EXPECT_NE(staged.find(0), nullptr);
  EXPECT_EQ(ours(), 0);
}

TEST(StagingInADirectory, AFileThatCannotBeReadIsNamed) {
  const ToyCohort toy(1);
  const TemporaryDirectory folder;
  fs::remove(toy.file(0));
  try {
    const StagedCases staged(toy.cohort(), {0}, folder.path().string());
    FAIL() << "a missing case was staged";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("toy0.h5"));
  }
}

}  // namespace
}  // namespace lacuna::data
