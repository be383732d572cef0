#include "evaluation/scores/mask_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files/temporary_directory.h"
#include "data/nifti/nifti.h"

namespace lacuna::evaluation {
namespace {

using ::testing::HasSubstr;

class MaskFiles : public ::testing::Test {
 protected:
  // 2 x 3 x 4 voxels in the file, 2 mm apart along k; written as D x H x W = 4 x 2 x 3.
  std::filesystem::path write(const std::string& name, std::vector<std::uint8_t> labels,
                              double offset = 0) {
    data::NiftiHeader grid;
    grid.size = {2, 3, 4};
    grid.voxel_mm = {1, 1, 2};
    grid.sform_code = 1;
    grid.sform = {{{1, 0, 0, offset}, {0, 1, 0, 0}, {0, 0, 2, 0}}};
    labels.resize(24);
    const auto path = directory_ / name;
    data::write_nifti<std::uint8_t>(posix_file_system(), path, grid, labels);
    return path;
  }
  std::string message(const std::filesystem::path& prediction, const std::filesystem::path& truth,
                      const std::string& profile = "auto") {
    try {
      score_files(prediction, truth, profile, {});
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  TemporaryDirectory directory_;
};

TEST_F(MaskFiles, AreScoredInMillimetresOfTheFile) {
  std::vector<std::uint8_t> truth(24), predicted(24);
  truth[0] = 4;
  predicted[0] = predicted[3 * 6] = 4;  // 3 slices of 2 mm away
  ScoreOptions options;
  options.hd95 = Hd95Definition::kPooled;
  const auto scores =
      score_files(write("p.nii.gz", predicted), write("t.nii", truth), "auto", options);
  EXPECT_EQ(scores.profile->name, "brats2021");
  ASSERT_EQ(scores.regions.size(), 3u);
  EXPECT_NEAR(scores.regions[0].dice, 2.0 / 3, 1e-15);
  // numpy.percentile([0, 0, 6], 95) = 5.4
  EXPECT_NEAR(scores.regions[2].hd95_mm, 5.4, 1e-12);
}

TEST_F(MaskFiles, TakeTheProfileFromTheirValues) {
  const auto name = [&](std::vector<std::uint8_t> a, std::vector<std::uint8_t> b) {
    return score_files(write("a.nii", a), write("b.nii", b), "auto", {}).profile->name;
  };
  EXPECT_EQ(name({1, 2, 4}, {1}), "brats2021");
  EXPECT_EQ(name({1, 2}, {3}), "brats2023");
  EXPECT_EQ(name({1}, {2}), "brats2023");
  EXPECT_EQ(name({3, 4}, {1, 3}), "brats2024");
  // Asked for: value 4 is then the resection cavity, not enhancing tumour.
  const auto file = write("c.nii", {4});
  EXPECT_EQ(score_files(file, file, "brats2024", {}).regions[0].true_voxels, 0);
}

// 1, 2, 3 and 1, 2, 4 are two numberings of the same tissues, not 2024's of a case with a cavity.
TEST_F(MaskFiles, WhoseNumberingsContradictAreRefusedWithBothNamed) {
  const auto late = write("late.nii", {1, 2, 3}), early = write("early.nii", {1, 2, 4});
  for (const auto& text : {message(late, early), message(early, late)}) {
    EXPECT_THAT(text, HasSubstr("BraTS 2021"));
    EXPECT_THAT(text, HasSubstr("BraTS 2023"));
    EXPECT_THAT(text, HasSubstr("--profile"));
  }
  EXPECT_THAT(message(write("cavity.nii", {3, 4}), early), HasSubstr("BraTS 2024"));
}

TEST_F(MaskFiles, AreRefusedOnDifferentGridsOrUnknownLabels) {
  const auto a = write("a.nii", {1}), moved = write("moved.nii", {1}, 5);
  EXPECT_THAT(message(a, moved), HasSubstr("affine differs"));
  data::NiftiHeader small;
  small.size = {2, 3, 1};
  data::write_nifti<std::uint8_t>(posix_file_system(), directory_ / "small.nii", small,
                                  std::vector<std::uint8_t>(6));
  EXPECT_THAT(message(a, directory_ / "small.nii"), HasSubstr("2 x 3 x 4 voxels"));
  EXPECT_THAT(message(write("b.nii", {9}), a), HasSubstr("label 9 at voxel (i,j,k) = (0, 0, 0)"));
  EXPECT_THAT(message(a, directory_ / "none.nii"), HasSubstr("none.nii"));
  EXPECT_THAT(message(a, a, "brats2081"), HasSubstr("brats2018"));
}

}  // namespace
}  // namespace lacuna::evaluation
