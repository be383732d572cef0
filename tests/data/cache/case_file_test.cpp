#include "data/cache/case_file.h"

#include <cmath>
#include <cstdlib>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "tests/data/toy_case.h"

namespace lacuna::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Both codecs and both element types; extents that do not divide into chunks.
class CaseFileTest : public ::testing::TestWithParam<std::tuple<const char*, bool>> {
 protected:
  CaseFileTest() : toy_(std::get<0>(GetParam()), std::get<1>(GetParam())) {
    toy_.write(folder_.path());
  }
  TemporaryDirectory folder_;
  ToyCase toy_;
};

TEST_P(CaseFileTest, ReadsAnyBoxOfTheFullVolume) {
  const CaseFile file(folder_.path() / "cases/toy.h5");
  Stream stream(5, Purpose::kTest, 0);
  for (int trial = 0; trial < 40; ++trial) {
    Extent corner, extent;
    for (std::size_t a = 0; a < 3; ++a) {
      corner[a] = static_cast<std::int64_t>(stream.below(60)) - 10;
      extent[a] = 1 + static_cast<std::int64_t>(stream.below(50));
    }
    const int modality = static_cast<int>(stream.below(4));
    const auto count = static_cast<std::size_t>(extent[0] * extent[1] * extent[2]);
    std::vector<float> image(count, -77);
    std::vector<std::uint8_t> label(count, 77);
    file.read_image(modality, corner, extent, image.data());
    file.read_label(corner, extent, label.data());
    std::size_t i = 0, wrong = 0;
    for (std::int64_t d = 0; d < extent[0]; ++d) {
      for (std::int64_t h = 0; h < extent[1]; ++h) {
        for (std::int64_t w = 0; w < extent[2]; ++w, ++i) {
          const Extent at{corner[0] + d, corner[1] + h, corner[2] + w};
          // float16 keeps 11 significant bits of the distance from the background.
          const float expected = toy_.intensity(modality, at);
          const float tolerance =
              toy_.real ? std::abs(expected - ToyCase::kBackground) / 2048 : 0.0f;
          wrong += std::abs(image[i] - expected) > tolerance;
          wrong += label[i] != toy_.tissue(at);
        }
      }
    }
    EXPECT_EQ(wrong, 0u) << "trial " << trial;
  }
}

TEST_P(CaseFileTest, ListsTheVoxelsOfEachRegion) {
  const CaseFile file(folder_.path() / "cases/toy.h5");
  for (int region = 0; region < 3; ++region) {
    std::vector<std::uint32_t> expected;
    const Extent& box = toy_.header.info.box_extent;
    for (std::int64_t i = 0; i < box[0] * box[1] * box[2]; ++i) {
      const auto tissue = toy_.voxels.label[static_cast<std::size_t>(i)];
      const bool inside = region == 0   ? tissue == 3
                          : region == 1 ? tissue == 3 || tissue == 1
                                        : tissue != 0;
      if (inside) expected.push_back(static_cast<std::uint32_t>(i));
    }
    const auto found = file.foreground(region);
    EXPECT_EQ(std::vector<std::uint32_t>(found.begin(), found.end()), expected);
    EXPECT_FALSE(expected.empty());
  }
}

// Wherever the byte lies: either it is named as damage, or it is padding and no voxel changes.
TEST_P(CaseFileTest, AFlippedByteNeverChangesAVoxelUnnoticed) {
  const auto path = folder_.path() / "cases/toy.h5";
  const Extent full = toy_.header.info.full_extent;
  const auto count = static_cast<std::size_t>(full[0] * full[1] * full[2]);
  const auto read_all = [&](const CaseFile& file) {
    std::vector<float> values(4 * count);
    std::vector<std::uint8_t> label(count);
    for (int m = 0; m < 4; ++m) {
      file.read_image(m, {0, 0, 0}, full, &values[static_cast<std::size_t>(m) * count]);
    }
    file.read_label({0, 0, 0}, full, label.data());
    values.insert(values.end(), label.begin(), label.end());
    return values;
  };
  const auto size = std::filesystem::file_size(path);
  const auto original = read_all(CaseFile(path));
  EXPECT_NO_THROW(CaseFile(path).verify());
  Stream stream(6, Purpose::kTest, 0);
  int noticed = 0;
  for (int trial = 0; trial < 120; ++trial) {
    // A third of them among the metadata at the start and the end of the file.
    const auto offset =
        trial % 3 == 0 ? (trial % 2 == 0 ? trial * 8u : size - 1 - trial * 8u) : stream.below(size);
    flip_byte(path, offset);
    try {
      const CaseFile file(path);
      file.verify();
      EXPECT_EQ(read_all(file), original) << "offset " << offset;
    } catch (const DataError& error) {
      ++noticed;
      EXPECT_THAT(error.what(), HasSubstr("toy.h5"));
    }
    flip_byte(path, offset);  // back again
  }
  EXPECT_GT(noticed, 40);
}

TEST_P(CaseFileTest, H5pyReadsTheSameVoxels) {
  const auto reference = folder_.path() / "reference.bin";
  std::ofstream out(reference, std::ios::binary);
  const auto& voxels = toy_.voxels;
  if (toy_.real) {
    out.write(reinterpret_cast<const char*>(voxels.reals.data()),
              static_cast<std::streamsize>(voxels.reals.size() * sizeof(float)));
  } else {
    out.write(reinterpret_cast<const char*>(voxels.integers.data()),
              static_cast<std::streamsize>(voxels.integers.size() * sizeof(std::int16_t)));
  }
  out.write(reinterpret_cast<const char*>(voxels.label.data()),
            static_cast<std::streamsize>(voxels.label.size()));
  out.close();
  const std::string command = std::string(std::getenv("LACUNA_PYTHON")) + " " +
                              std::getenv("LACUNA_SOURCE") + "/tests/data/read_case.py " +
                              (folder_.path() / "cases/toy.h5").string() + " " +
                              reference.string() + " 2>&1";
  EXPECT_EQ(run(command), "equal\n");
}

INSTANTIATE_TEST_SUITE_P(CodecsAndElements, CaseFileTest,
                         ::testing::Combine(::testing::Values("none", "lz4"),
                                            ::testing::Values(false, true)));

TEST(CaseFile, RefusesAnotherVersionAndAFlippedHeader) {
  TemporaryDirectory folder;
  ToyCase toy("none", false);
  toy.write(folder.path());
  const auto path = folder.path() / "cases/toy.h5";
  const auto message = [&] {
    try {
      CaseFile file(path);
    } catch (const DataError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  const auto edit = [&](const std::string& python) {
    run(std::string(std::getenv("LACUNA_PYTHON")) + " -c \"import h5py; f = h5py.File('" +
        path.string() + "', 'r+'); " + python + "\"");
  };
  edit("f.attrs.modify('spacing_mm', [1.0, 1.0, 2.0])");
  EXPECT_THAT(message(), HasSubstr("header is damaged"));
  edit("f.attrs['format_version'] = 3");
  EXPECT_THAT(message(), HasSubstr("cache format version 3, this program reads versions 1 to 2"));
  std::ofstream(path) << "not HDF5";
  EXPECT_THAT(message(), HasSubstr("cannot open as a case file"));
}

// Files of version 1 have ten statistics; what a normalisation needs beyond them comes from the
// voxels.
TEST_P(CaseFileTest, VersionOneIsReadAndItsTrimmedStatisticsAreComputed) {
  toy_.header.version = 1;
  for (IntensityStatistics& statistics : toy_.header.statistics) {
    statistics.percentile_1 = 100;
    statistics.percentile_99 = 2000;
  }
  toy_.write(folder_.path());
  const CaseFile file(folder_.path() / "cases/toy.h5");
  file.verify();
  EXPECT_EQ(file.header().version, 1);
  EXPECT_EQ(file.statistics(1).mean, 1.1);
  EXPECT_EQ(file.statistics(1).trimmed_mean, 0);  // not there until it is asked for
  double count = 0, sum = 0, squares = 0;
  for (std::int64_t d = 3; d < 40; ++d) {
    for (std::int64_t h = 4; h < 45; ++h) {
      for (std::int64_t w = 5; w < 40; ++w) {
        const double value = toy_.intensity(1, {d, h, w});
        if (!(value > 100 && value < 2000)) continue;
        ++count;
        sum += value;
        squares += value * value;
      }
    }
  }
  const double mean = sum / count;
  const double tolerance = toy_.real ? 0.5 : 1e-9;  // float16
  EXPECT_NEAR(file.trimmed_statistics(1).trimmed_mean, mean, tolerance);
  EXPECT_NEAR(file.trimmed_statistics(1).trimmed_deviation,
              std::sqrt(squares / count - mean * mean), tolerance + 1e-6);
  // Of this version they are what was measured.
  toy_.header.version = kCaseFormatVersion;
  toy_.header.statistics[1].trimmed_mean = 7;
  toy_.header.statistics[1].edge_deviation = 11;
  toy_.write(folder_.path());
  const CaseFile now(folder_.path() / "cases/toy.h5");
  EXPECT_EQ(now.trimmed_statistics(1).trimmed_mean, 7);
  EXPECT_EQ(now.statistics(1).edge_deviation, 11);
}

TEST(CaseFile, RefusesAFileThatIsNotTheCohortsOwn) {
  TemporaryDirectory folder;
  ToyCase toy("none", false);
  Cohort cohort = toy.write(folder.path());
  EXPECT_NO_THROW(CaseFile(cohort, cohort.cases[0]));
  const std::string checksum = cohort.cases[0].checksum;
  cohort.cases[0].checksum = "0123456789abcdef";
  EXPECT_THROW(CaseFile(cohort, cohort.cases[0]), DataError);
  cohort.cases[0].checksum = checksum;
  std::filesystem::resize_file(folder.path() / "cases/toy.h5", cohort.cases[0].bytes - 1);
  try {
    CaseFile(cohort, cohort.cases[0]);
    FAIL();
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("bytes where cohort.json says"));
  }
}

}  // namespace
}  // namespace lacuna::data
