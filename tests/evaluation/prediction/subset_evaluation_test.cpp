#include "evaluation/prediction/subset_evaluation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files/file_system.h"
#include "base/files/temporary_directory.h"
#include "data/cache/case_writer.h"
#include "tests/evaluation/fake_method.h"

namespace lacuna::evaluation {
namespace {

using data::Extent;
using ::testing::ElementsAre;

constexpr Extent kFull{8, 9, 10}, kCorner{1, 2, 3}, kBox{6, 6, 6};

// Two cases: FLAIR is 200 in the tumour and 50 elsewhere in the brain, T2 the reverse; T1 is flat.
// "poor" has FLAIR only, "rich" has all but T1c.
class Evaluation : public ::testing::Test {
 protected:
  Evaluation() {
    cohort_.directory = directory_.path();
    cohort_.regions = data::tumour_regions();
    add("poor", 0b0001);
    add("rich", 0b1011);
  }

  // Tumour (oedema) in one corner of the brain box.
  static bool is_tumour(const Extent& at) { return at[0] < 4 && at[1] < 5 && at[2] < 6; }

  void add(const std::string& id, data::SubsetMask available) {
    data::CaseHeader header;
    header.info.id = id;
    header.info.institution = "site of " + id;
    header.info.available = available;
    header.info.full_extent = kFull;
    header.info.box_offset = kCorner;
    header.info.box_extent = kBox;
    header.info.spacing_mm = {1, 1, 2};
    header.info.has_label = true;
    header.profile = "brats2021";
    header.modalities = cohort_.modalities.names();
    header.regions = cohort_.regions;
    header.sources = {
        {"a", 1, 2, "00"}, {"", 0, 0, ""}, {"", 0, 0, ""}, {"", 0, 0, ""}, {"", 0, 0, ""}};
    data::CaseVoxels voxels;
    for (int m = 0; m < 4; ++m) {
      data::IntensityStatistics statistics;
      statistics.mean = 100;
      statistics.deviation = 50;
      statistics.maximum = 200;
      header.statistics.push_back(statistics);
      for (std::int64_t i = 0; i < 216; ++i) {
        const bool tumour =
            is_tumour({kCorner[0] + i / 36, kCorner[1] + i / 6 % 6, kCorner[2] + i % 6});
        const int value = m == 1 ? 100 : tumour == (m == 0) ? 200 : 50;
        voxels.integers.push_back(data::contains(available, m) ? static_cast<std::int16_t>(value)
                                                               : std::int16_t{0});
        if (m == 0) voxels.label.push_back(tumour ? 2 : 0);
      }
    }
    const auto bytes = data::encode_case(header, voxels);
    header.info.file = "cases/" + id + ".h5";
    header.info.bytes = bytes.size();
    header.info.checksum = header.checksum();
    posix_file_system().make_directories(directory_ / "cases");
    write_durably(posix_file_system(), directory_ / header.info.file, bytes);
    cohort_.cases.push_back(header.info);
  }

  // Tumour where FLAIR (or, without it, T2 the other way round) says so.
  static FakeMethod method() {
    return FakeMethod(
        [](const at::Tensor& image, data::SubsetMask subset) {
          const auto marked = data::contains(subset, 0) ? image.select(1, 0) : -image.select(1, 3);
          return torch::stack({marked - 0.5, marked * 0 - 1, marked * 0 - 1}, 1);
        },
        small_recipe());
  }

  TemporaryDirectory directory_;
  data::Cohort cohort_;
};

TEST_F(Evaluation, LoadsNormalisedVolumesOnTheFullGrid) {
  const auto fake = method();
  const data::CaseFile file(cohort_, cohort_.cases[1]);
  const auto image = load_volume(file, fake);
  EXPECT_EQ(image.sizes(), (std::vector<std::int64_t>{1, 4, 8, 9, 10}));
  const auto at = [&](int m, int d, int h, int w) { return image[0][m][d][h][w].item<float>(); };
  EXPECT_EQ(at(0, 1, 2, 3), 2);   // (200 - 100) / 50
  EXPECT_EQ(at(3, 1, 2, 3), -1);  // (50 - 100) / 50
  EXPECT_EQ(at(0, 6, 7, 8), -1);
  EXPECT_EQ(at(0, 0, 0, 0), 0);  // background
  EXPECT_EQ(at(1, 1, 2, 3), 0);
  EXPECT_EQ(image[0][2].abs().max().item<float>(), 0);  // T1c is absent
}

TEST_F(Evaluation, ScoresTheSubsetsThatEachCaseCanProvide) {
  auto fake = method();
  EvaluationOptions options;
  options.cases = {0, 1};
  int calls = 0, kept = 0;
  options.progress = [&](int done, int total) {
    EXPECT_EQ(total, 2);
    return ++calls == done;
  };
  options.keep = [&](int, data::SubsetMask, const std::vector<std::uint8_t>& labels) {
    EXPECT_EQ(labels.size(), 720u);
    ++kept;
  };
  const auto scores = evaluate(fake, cohort_, options);
  std::vector<std::string> names;
  for (const CaseScore& score : scores) {
    names.push_back(score.case_id + " " + cohort_.modalities.format(score.subset));
    ASSERT_EQ(score.regions.size(), 3u);
    EXPECT_EQ(score.institution, "site of " + score.case_id);
    // T1 alone shows nothing: the predicted mask is empty.
    const bool seen = score.subset != 0b0010;
    EXPECT_EQ(score.regions[2].dice, seen ? 1 : 0) << names.back();
    EXPECT_EQ(score.regions[2].hd95_mm, seen ? 0 : 373.13) << names.back();
    EXPECT_EQ(score.regions[0].dice, 1);  // no enhancing tumour in either
  }
  EXPECT_THAT(names, ElementsAre("poor FLAIR", "rich FLAIR", "rich T1", "rich T2", "rich FLAIR+T1",
                                 "rich FLAIR+T2", "rich T1+T2", "rich FLAIR+T1+T2"));
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(kept, 8);
}

TEST_F(Evaluation, StopsWhenAskedAndKeepsToTheSubsetsAskedFor) {
  auto fake = method();
  EvaluationOptions options;
  options.cases = {0, 1};
  options.subsets = {0b0001, 0b0100};
  options.patch = Extent{8, 10, 10};
  options.progress = [](int, int) { return false; };
  EXPECT_EQ(evaluate(fake, cohort_, options).size(), 1u);
  EXPECT_EQ(fake.encoded, 1);
}

// The tumour is 3 x 3 x 3 voxels from (1, 2, 3); the window holds slices 2 and 3 of it.
TEST_F(Evaluation, OutsideACentreCropNothingCounts) {
  auto recipe = small_recipe();
  recipe.centre_crop = true;
  recipe.patch = {2, 6, 4};  // in 8 x 9 x 10: from (2, 1, 2)
  FakeMethod fake(
      [](const at::Tensor& image, data::SubsetMask) {
        const auto flair = image.select(1, 0);
        return torch::stack({flair - 0.5, flair * 0 - 1, flair * 0 - 1}, 1);
      },
      recipe);
  EvaluationOptions options;
  options.cases = {1};
  options.subsets = {0b0001};
  const auto scores = evaluate(fake, cohort_, options);
  EXPECT_EQ(scores[0].regions[2].dice, 1);
  EXPECT_EQ(scores[0].regions[2].true_voxels, 18);
}

TEST_F(Evaluation, RefusesACaseWithoutLabel) {
  auto fake = method();
  cohort_.cases[0].has_label = false;
  EvaluationOptions options;
  options.cases = {0};
  EXPECT_THROW(evaluate(fake, cohort_, options), DataError);
}

}  // namespace
}  // namespace lacuna::evaluation
