#include "evaluation/prediction/overlay.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "base/files/temporary_directory.h"
#include "base/files/tensor_file.h"
#include "tests/data/toy_cohort.h"

namespace lacuna::evaluation {
namespace {

using Pixels = std::vector<std::uint8_t>;

Pixels pixels(const TensorFile& file, const char* name) {
  const auto bytes = file.find(name)->bytes;
  const auto* begin = reinterpret_cast<const std::uint8_t*>(bytes.data());
  return {begin, begin + bytes.size()};
}

// Slice d of the known truth.
Pixels truth_slice(const data::ToyCohort& cohort, const data::Extent& extent, std::int64_t d) {
  Pixels slice;
  for (std::int64_t h = 0; h < extent[1]; ++h) {
    for (std::int64_t w = 0; w < extent[2]; ++w) slice.push_back(cohort.tissue({d, h, w}));
  }
  return slice;
}

CaseScore score(const std::string& id, data::SubsetMask subset, double dice) {
  return {id, "", subset, std::vector<RegionScore>(3, RegionScore{dice})};
}

class OverlayWriterTest : public testing::Test {
 protected:
  // Segmentations of one value for each case and subset, so that a plane tells whose it is.
  void keep(OverlayWriter& writer, int cases) {
    for (int index = 0; index < cases; ++index) {
      for (const data::SubsetMask subset : {0b1111u, 0b0001u, 0b0011u}) {
        writer.keep(index, subset,
                    Pixels(volume(), static_cast<std::uint8_t>(10 * index + subset)));
      }
    }
  }
  std::size_t volume() const {
    return static_cast<std::size_t>(extent_[0] * extent_[1] * extent_[2]);
  }

  data::ToyCohort cohort_{3};
  data::Extent extent_ = cohort_.cohort().cases[0].full_extent;
  TemporaryDirectory directory_;
};

TEST_F(OverlayWriterTest, StoresTheBestAndTheWorstCase) {
  OverlayWriter writer(cohort_.cohort());
  keep(writer, 3);
  // Mean over subsets: toy0 0.55, toy1 0.3, toy2 0.9.
  writer.write(posix_file_system(), directory_ / "overlays",
               {score("toy0", 0b1111, 0.8), score("toy0", 0b0001, 0.3), score("toy1", 0b1111, 0.3),
                score("toy2", 0b1111, 0.9)});
  const TensorFile best(directory_.path() / "overlays" / "best.safetensors");
  const TensorFile worst(directory_.path() / "overlays" / "worst.safetensors");
  EXPECT_EQ(best.metadata().at("case"), "toy2");
  EXPECT_EQ(worst.metadata().at("case"), "toy1");
  EXPECT_EQ(best.metadata().at("mean_dice"), "0.900000");
  EXPECT_EQ(best.metadata().at("modalities"), "FLAIR,T1,T1c,T2");
  // FLAIR+T1 is not among the shown subsets; the single modality has no score of its own.
  EXPECT_EQ(best.metadata().at("subsets"), "FLAIR+T1+T1c+T2,FLAIR");
  EXPECT_EQ(best.metadata().at("dice"), "0.900000,");
  const auto plane = static_cast<std::size_t>(extent_[1] * extent_[2]);
  Pixels expected(plane, 20 + 15);
  expected.insert(expected.end(), plane, 20 + 1);
  EXPECT_EQ(pixels(best, "predictions"), expected);
}

TEST_F(OverlayWriterTest, ShowsTheSliceWithTheMostTumour) {
  OverlayWriter writer(cohort_.cohort());
  keep(writer, 1);
  writer.write(posix_file_system(), directory_.path(), {score("toy0", 0b1111, 0.5)});
  const TensorFile best(directory_ / "best.safetensors");
  EXPECT_FALSE(std::filesystem::exists(directory_ / "worst.safetensors"));  // the same case
  const auto tumour = [&](std::int64_t d) {
    const Pixels slice = truth_slice(cohort_, extent_, d);
    return static_cast<std::int64_t>(slice.size()) -
           std::count(slice.begin(), slice.end(), std::uint8_t{0});
  };
  const std::int64_t shown = std::stoll(best.metadata().at("slice"));
  for (std::int64_t d = 0; d < extent_[0]; ++d) EXPECT_LE(tumour(d), tumour(shown)) << d;
  EXPECT_EQ(pixels(best, "truth"), truth_slice(cohort_, extent_, shown));
  // T1c is absent from the toy: black. The others use the whole range of grey.
  const Pixels image = pixels(best, "image");
  const auto plane = static_cast<std::ptrdiff_t>(extent_[1] * extent_[2]);
  const auto brightest = [&](int m) {
    return *std::max_element(image.begin() + m * plane, image.begin() + (m + 1) * plane);
  };
  EXPECT_EQ(brightest(0), 255);
  EXPECT_EQ(brightest(2), 0);
}

TEST_F(OverlayWriterTest, WritesNothingWithoutScores) {
  OverlayWriter writer(cohort_.cohort());
  keep(writer, 1);
  writer.write(posix_file_system(), directory_.path(), {});
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path()));
}

}  // namespace
}  // namespace lacuna::evaluation
