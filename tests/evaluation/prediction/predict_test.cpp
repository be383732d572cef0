#include "evaluation/prediction/predict.h"

#include <algorithm>
#include <array>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files/temporary_directory.h"
#include "data/nifti/nifti.h"
#include "data/nifti/orientation.h"
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

// The same case with its axes in each of the 48 orders and directions, by a method that was trained
// on one of them: the same mask, on the grid of the case's own files.
TEST_F(Predict, All48OrdersOfAxesGiveTheSameMask) {
  auto fake = FakeMethod(
      [](const at::Tensor& image, data::SubsetMask) {  // not the same in all directions
        const auto sum = image.select(1, 0) +
                         torch::linspace(-1, 1, image.size(2)).view({-1, 1, 1}) +
                         torch::linspace(0, 0.5, image.size(4));
        return torch::stack({sum, sum, sum}, 1);
      },
      small_recipe());
  PredictOptions options;
  options.out = out_.path();
  options.grid = data::Grid{"LPS", {3, 1, 2}};
  std::vector<std::uint8_t> first;
  std::array<std::size_t, 3> order{0, 1, 2};
  const char* letters[3] = {"LR", "PA", "IS"};
  int orders = 0;
  do {
    for (std::size_t signs = 0; signs < 8; ++signs, ++orders) {
      std::string codes;
      for (std::size_t a = 0; a < 3; ++a) codes += letters[order[a]][signs >> a & 1];
      write(id_, 0);
      const auto path = in_ / id_ / profile_.image_file(id_, 0);
      const data::NiftiFile straight(path);
      const auto turn = data::axis_turn("LPS", codes);
      data::NiftiHeader header = straight.header();
      const data::Affine affine = turned(header.affine(), header.size, turn);
      header.size = turned(straight.header().size, turn);
      header.voxel_mm = turned(straight.header().voxel_mm, turn);
      std::copy_n(affine.begin(), 3, header.sform.begin());
      data::write_nifti<std::int16_t>(
          posix_file_system(), path, header,
          turned(straight.read<std::int16_t>(), straight.header().size, turn));
      const auto prediction = predict_case(fake, scan(), profile_, options);
      const data::NiftiFile mask(prediction.file);
      EXPECT_EQ(mask.header().size, header.size) << codes;
      for (std::size_t row = 0; row < 3; ++row) {
        for (std::size_t column = 0; column < 4; ++column) {
          EXPECT_NEAR(mask.header().affine()[row][column], affine[row][column], 1e-4) << codes;
        }
      }
      const auto labels = turned(mask.read<std::uint8_t>(), mask.header().size, turn.inverse());
      if (first.empty()) first = labels;
      EXPECT_EQ(labels, first) << codes;
    }
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_EQ(orders, 48);
  EXPECT_GT(std::count(first.begin(), first.end(), 4), 20);
  EXPECT_GT(std::count(first.begin(), first.end(), 0), 100);
}

// Slices of 3 mm for a method that knows slices of 1.5 mm.
TEST_F(Predict, AnotherVoxelSizeIsRefusedOrResampled) {
  write(id_, 0);
  auto fake = method();
  PredictOptions options;
  options.out = out_.path();
  options.grid = data::Grid{"LPS", {1.5, 1, 2}};
  try {
    predict_case(fake, scan(), profile_, options);
    FAIL();
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("--resample"));
  }
  options.resample = true;
  const data::NiftiFile mask(predict_case(fake, scan(), profile_, options).file);
  EXPECT_EQ(mask.header().size, grid().size);
  const auto labels = mask.read<std::uint8_t>();
  std::size_t i = 0, wrong = 0, tumour = 0;
  for (std::int64_t d = 0; d < kDepth; ++d) {
    for (std::int64_t h = 0; h < kHeight; ++h) {
      for (std::int64_t w = 0; w < kWidth; ++w, ++i) {
        wrong += labels[i] != (is_tumour(d, h, w) ? 4 : 0);
        tumour += is_tumour(d, h, w);
      }
    }
  }
  EXPECT_LE(wrong, tumour / 3);  // the slices at the ends are half of each
}

}  // namespace
}  // namespace lacuna::evaluation
