#include "evaluation/prediction/predict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files/temporary_directory.h"
#include "data/nifti/nifti.h"
#include "tests/evaluation/fake_method.h"

namespace lacuna::evaluation {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kDepth = 9, kHeight = 12, kWidth = 10;

bool is_brain(std::int64_t d, std::int64_t h, std::int64_t w) {
  return d >= 2 && d < 8 && h >= 3 && h < 11 && w >= 1 && w < 8;
}
bool is_tumour(std::int64_t d, std::int64_t h, std::int64_t w) {
  return is_brain(d, h, w) && d < 5 && h < 6 && w < 4;
}

class Predict : public ::testing::Test {
 protected:
  static data::NiftiHeader grid() {
    data::NiftiHeader header;
    header.size = {kHeight, kWidth, kDepth};
    header.voxel_mm = {1, 2, 3};
    header.sform_code = 2;
    header.sform = {{{-1, 0, 0, 17}, {0, -2, 0, 4}, {0, 0, 3, -50}}};
    return header;
  }

  // Brain 50, tumour 200, in the given modality of case `id`.
  void write(const std::string& id, int modality, data::NiftiHeader header = grid()) {
    std::vector<std::int16_t> volume;
    for (std::int64_t d = 0; d < kDepth; ++d) {
      for (std::int64_t h = 0; h < kHeight; ++h) {
        for (std::int64_t w = 0; w < kWidth; ++w) {
          volume.push_back(is_tumour(d, h, w) ? 200 : is_brain(d, h, w) ? 50 : 0);
        }
      }
    }
    const auto directory = in_ / id;
    posix_file_system().make_directories(directory);
    data::write_nifti<std::int16_t>(posix_file_system(),
                                    directory / profile_.image_file(id, modality), header, volume);
  }
  data::SourceCase scan() { return data::scan_source(in_.path(), "brats2021").cases.at(0); }

  // Enhancing tumour where a FLAIR or T2 image is above its mean.
  static FakeMethod method() {
    return FakeMethod(
        [](const at::Tensor& image, data::SubsetMask) {
          const auto sum = image.select(1, 0) + image.select(1, 3);
          return torch::stack({sum, sum, sum}, 1);
        },
        small_recipe());
  }

  const data::Profile& profile_ = data::find_profile("brats2021");
  const std::string id_ = "BraTS2021_00012";
  TemporaryDirectory in_, out_;
};

TEST_F(Predict, WritesTheMaskOnTheGridOfTheImages) {
  write(id_, 0);
  write(id_, 1);
  auto fake = method();
  PredictOptions options;
  options.out = out_ / "masks";
  const auto prediction = predict_case(fake, scan(), profile_, options);
  EXPECT_EQ(prediction.file, out_ / "masks" / (id_ + ".nii.gz"));
  EXPECT_EQ(prediction.subset, 0b0011u);  // T1c and T2 are not there
  const data::NiftiFile mask(prediction.file);
  EXPECT_EQ(mask.header().size, grid().size);
  EXPECT_EQ(mask.header().affine(), grid().affine());
  EXPECT_EQ(mask.header().sform_code, 2);
  const auto labels = mask.read<std::uint8_t>();
  std::size_t i = 0;
  for (std::int64_t d = 0; d < kDepth; ++d) {
    for (std::int64_t h = 0; h < kHeight; ++h) {
      for (std::int64_t w = 0; w < kWidth; ++w, ++i) {
        // Enhancing tumour is 4 in the files of 2021.
        ASSERT_EQ(labels[i], is_tumour(d, h, w) ? 4 : 0) << d << " " << h << " " << w;
      }
    }
  }
  EXPECT_EQ(posix_file_system().list(options.out).size(), 1u);  // nothing else is left behind
}

TEST_F(Predict, UsesOnlyTheModalitiesAskedFor) {
  write(id_, 0);
  write(id_, 3);
  auto fake = method();
  PredictOptions options;
  options.out = out_.path();
  options.subset = 0b1010;
  EXPECT_EQ(predict_case(fake, scan(), profile_, options).subset, 0b1000u);
  options.subset = 0b0110;
  try {
    predict_case(fake, scan(), profile_, options);
    FAIL();
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("none of T1+T1c is there; it has FLAIR+T2"));
  }
}

TEST_F(Predict, RefusesImagesOnDifferentGrids) {
  write(id_, 0);
  auto moved = grid();
  moved.sform[0][3] += 5;
  write(id_, 1, moved);
  auto fake = method();
  PredictOptions options;
  options.out = out_.path();
  EXPECT_THROW(predict_case(fake, scan(), profile_, options), DataError);
  EXPECT_TRUE(posix_file_system().list(out_.path()).empty());
}

}  // namespace
}  // namespace lacuna::evaluation
