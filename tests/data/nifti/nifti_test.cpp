#include "data/nifti/nifti.h"

#include <cstring>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"
#include "base/text/json.h"
#include "tests/base/faulty_file_system.h"
#include "tests/base/python.h"

namespace lacuna::data {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// nibabel writes a file per data type, byte order and way of giving the position, and notes what
// it reads from each itself: the affine, and the values in the order [k][i][j].
constexpr const char* kWrite = R"(
import json, sys, numpy as np, nibabel as nib
folder, expected = sys.argv[1], {}
size = (3, 4, 5)
count = np.arange(60).reshape(size, order='F')
oblique = np.array(
    [[-0.9, 0.2, 0.1, 12.5], [0.1, -1.1, 0.3, 240], [0.2, 0.1, 2.0, -7], [0, 0, 0, 1]])
turn = np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0], [0.48, 0.64, 0.6]])
rotated = np.eye(4)
rotated[:3, :3] = turn @ np.diag([1, 1.5, 2])
rotated[:3, 3] = [-90, 126, -72]
reversed_k = rotated @ np.diag([1, 1, -1, 1])

def save(name, image):
    nib.save(image, f'{folder}/{name}')
    loaded = nib.load(f'{folder}/{name}')
    data = loaded.get_fdata().reshape(size)
    expected[name] = {'affine': loaded.affine.tolist(),
                      'zooms': [float(z) for z in loaded.header.get_zooms()[:3]],
                      'values': data.transpose(2, 0, 1).astype('float32').ravel().tolist()}

for kind in ['uint8', 'int8', 'int16', 'uint16', 'int32', 'uint32', 'int64', 'uint64',
             'float32', 'float64']:
    data = (count - (30 if kind[0] == 'i' or kind[0] == 'f' else 0)).astype(kind)
    for order, sign in [('little', '<'), ('big', '>')]:
        header = nib.Nifti1Header(endianness=sign)
        header.set_data_dtype(kind)
        save(f'{kind}_{order}.nii.gz', nib.Nifti1Image(data, oblique, header))
scaled = nib.Nifti1Image(count.astype('int16'), oblique)
scaled.header.set_slope_inter(0.37, -11.5)
save('scaled.nii.gz', scaled)
def positioned(name, sform, qform, kind=nib.Nifti1Image):
    image = kind(count.astype('int16'), None)
    image.header.set_zooms((1, 1.5, 2))
    if qform is not None: image.set_qform(qform, 1)
    if sform is not None: image.set_sform(sform, 2)
    save(name, image)
positioned('sform.nii', oblique, None)
positioned('qform.nii', None, rotated)
positioned('reversed.nii', None, reversed_k)
positioned('both.nii', oblique, rotated)
positioned('neither.nii', None, None)
positioned('nifti2.nii', oblique, rotated, nib.Nifti2Image)
save('four_axes.nii.gz', nib.Nifti1Image(count.astype('int16').reshape(size + (1,)), oblique))
json.dump(expected, open(f'{folder}/expected.json', 'w'))

nib.save(nib.Nifti1Image(np.zeros((3, 4, 5, 2), 'int16'), oblique), f'{folder}/series.nii')
nib.save(nib.Nifti1Image(np.zeros(size, 'complex64'), oblique), f'{folder}/complex.nii')
colours = np.zeros(size, [('R', 'u1'), ('G', 'u1'), ('B', 'u1')])
nib.save(nib.Nifti1Image(colours, oblique), f'{folder}/colour.nii')
nib.save(nib.Nifti1Pair(count.astype('int16'), oblique), f'{folder}/pair.hdr')
nib.save(nib.AnalyzeImage(count.astype('int16'), None), f'{folder}/analyze.hdr')
)";

class NiftiFromNibabel : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!has_python()) return;
    directory_ = std::make_unique<TemporaryDirectory>();
    if (run_python(kWrite, directory_->path()))
      expected_ = read_json(*directory_ / "expected.json");
  }
  static void TearDownTestSuite() { directory_.reset(); }
  void SetUp() override {
    LACUNA_NEEDS_PYTHON();
    ASSERT_EQ(expected_.size(), 28u) << "nibabel's script failed";
  }

  static std::string message_for(const std::string& name) {
    try {
      const NiftiFile file(*directory_ / name);
    } catch (const DataError& error) {
      return error.what();
    }
    return "no error";
  }

  inline static std::unique_ptr<TemporaryDirectory> directory_;
  inline static Json expected_;
};

TEST_F(NiftiFromNibabel, GivesTheSameValues) {
  for (const auto& [name, expected] : expected_.items()) {
    const NiftiFile file(*directory_ / name);
    EXPECT_EQ(file.header().extent(), (Extent{5, 3, 4}));
    EXPECT_EQ(file.read<float>(), expected["values"].get<std::vector<float>>()) << name;
  }
}

TEST_F(NiftiFromNibabel, GivesTheSamePosition) {
  for (const auto& [name, expected] : expected_.items()) {
    const NiftiFile file(*directory_ / name);
    const auto zooms = expected["zooms"].get<std::array<double, 3>>();
    EXPECT_EQ(file.header().spacing_mm(), (std::array<double, 3>{zooms[2], zooms[0], zooms[1]}));
    if (name == "neither.nii") continue;
    const auto affine = file.header().affine();
    for (std::size_t row = 0; row < 4; ++row) {
      for (std::size_t column = 0; column < 4; ++column) {
        // Quaternions are stored as float32; nibabel computes with them in float64, as we do.
        EXPECT_NEAR(affine[row][column], expected["affine"][row][column].get<double>(), 1e-5)
            << name << " row " << row << " column " << column;
      }
    }
  }
}

TEST_F(NiftiFromNibabel, TakesTheVoxelSizeWhenNoPositionIsGiven) {
  // "Method 1" of nifti1.h: x = pixdim[1] * i, y = pixdim[2] * j, z = pixdim[3] * k.
  EXPECT_EQ(NiftiFile(*directory_ / "neither.nii").header().affine(),
            (Affine{{{1, 0, 0, 0}, {0, 1.5, 0, 0}, {0, 0, 2, 0}, {0, 0, 0, 1}}}));
}

TEST_F(NiftiFromNibabel, ReadsIntegersExactlyOrNotAtAll) {
  for (const char* kind : {"int8", "int16", "int32", "int64", "float32", "float64", "uint64"}) {
    const std::string name = fmt::format("{}_big.nii.gz", kind);
    const NiftiFile file(*directory_ / name);
    ASSERT_TRUE(file.fits<std::int16_t>()) << name;
    EXPECT_EQ(file.read<std::int16_t>(),
              expected_[name]["values"].get<std::vector<std::int16_t>>());
  }
  const NiftiFile negative(*directory_ / "int16_little.nii.gz");
  EXPECT_FALSE(negative.fits<std::uint8_t>());
  try {
    negative.read<std::uint8_t>();
    FAIL() << "-30 is not a label";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("voxel (i,j,k) = (0, 0, 0) is "),
                                    HasSubstr("which is not a whole number from 0")));
  }
  EXPECT_FALSE(NiftiFile(*directory_ / "scaled.nii.gz").fits<std::int16_t>());
  EXPECT_TRUE(NiftiFile(*directory_ / "uint8_big.nii.gz").fits<std::uint8_t>());
}

TEST_F(NiftiFromNibabel, NamesWhatIsNotSupported) {
  EXPECT_THAT(message_for("series.nii"), HasSubstr("4 dimensions, expected 3"));
  EXPECT_THAT(message_for("complex.nii"), HasSubstr("type 32 (complex)"));
  EXPECT_THAT(message_for("colour.nii"), HasSubstr("type 128 (colour)"));
  EXPECT_THAT(message_for("pair.hdr"), HasSubstr("two-file NIfTI"));
  EXPECT_THAT(message_for("analyze.hdr"), HasSubstr("ANALYZE"));
  EXPECT_THAT(message_for("expected.json"), HasSubstr("not a NIfTI file"));
  EXPECT_THAT(message_for("none.nii"), HasSubstr("none.nii: cannot open: No such file"));
}

// What we write, nibabel reads: same position and same value at the same voxel. Names of written
// files: type, then the file whose grid they took.
constexpr const char* kRead = R"(
import os, sys, numpy as np, nibabel as nib
names = [name for name in os.listdir(sys.argv[1]) if name.startswith('as_')]
assert len(names) == 10, names
for name in names:
    kind, source = name[3:].split('-')
    image, origin = nib.load(f'{sys.argv[1]}/{name}'), nib.load(f'{sys.argv[1]}/{source}')
    head, old = image.header, origin.header
    assert np.allclose(image.affine, origin.affine, atol=1e-5), name
    assert np.allclose(image.get_qform(), origin.get_qform(), atol=1e-5), name
    assert np.allclose(image.get_sform(), origin.get_sform(), atol=1e-5), name
    for field in ['qform_code', 'sform_code', 'descrip']:
        assert head[field] == old[field], (name, field)
    assert np.array_equal(head.get_zooms(), old.get_zooms()[:3]), name
    assert head.get_xyzt_units()[0] == 'mm' and head.get_data_dtype() == kind, name
    expected = origin.get_fdata().reshape(3, 4, 5) + (0.5 if kind == 'float32' else 40)
    assert np.array_equal(image.get_fdata(), expected), name
)";

template <typename T>
void write_as(const char* type, const Path& directory, const std::string& grid, float offset) {
  const NiftiFile file(directory / grid);
  std::vector<T> values;
  for (const float value : file.read<float>()) values.push_back(static_cast<T>(value + offset));
  write_nifti<T>(posix_file_system(), directory / fmt::format("as_{}-{}", type, grid),
                 file.header(), values);
}

TEST_F(NiftiFromNibabel, ReadsBackWhatWeWriteOnTheSameGrid) {
  const Path& directory = directory_->path();
  for (const char* grid : {"sform.nii", "qform.nii", "reversed.nii", "both.nii", "neither.nii",
                           "nifti2.nii", "float64_big.nii.gz", "four_axes.nii.gz"}) {
    write_as<std::uint8_t>("uint8", directory, grid, 40);
  }
  write_as<std::int16_t>("int16", directory, "int16_big.nii.gz", 40);
  write_as<float>("float32", directory, "both.nii", 0.5f);
  EXPECT_TRUE(run_python(kRead, directory));
}

// A file of our own making, whose correctness the tests above establish.
std::vector<std::byte> small_file(NiftiType type = NiftiType::kInt16) {
  NiftiHeader header;
  header.size = {3, 2, 2};
  header.sform_code = 1;
  header.sform = {{{-1, 0, 0, 0}, {0, -1, 0, 239}, {0, 0, 1, 0}}};
  auto bytes = encode_nifti_header(header, type);
  bytes.resize(bytes.size() + 12 * size_of(type));
  return bytes;
}

std::string message_for(std::span<const std::byte> bytes, const char* name = "x.nii") {
  try {
    const NiftiFile file(name, bytes);
    file.read<float>();
  } catch (const DataError& error) {
    return error.what();
  }
  return "no error";
}

template <typename T>
std::vector<std::byte> with(std::size_t offset, T value) {
  auto bytes = small_file();
  std::memcpy(bytes.data() + offset, &value, sizeof value);
  return bytes;
}

TEST(NiftiFile, NamesWhatIsWrongInTheHeader) {
  EXPECT_EQ(message_for(small_file()), "no error");
  EXPECT_THAT(message_for(with<std::int16_t>(40, 9)), HasSubstr("9 dimensions"));
  EXPECT_THAT(message_for(with<std::int16_t>(40, 2)), HasSubstr("expected 3"));
  EXPECT_THAT(message_for(with<std::int16_t>(42, 0)), HasSubstr("0 voxels along axis 1"));
  EXPECT_THAT(message_for(with<std::int16_t>(46, -5)), HasSubstr("-5 voxels along axis 3"));
  EXPECT_THAT(message_for(with<std::int16_t>(46, 3)),
              HasSubstr("truncated: 3 x 2 x 3 values of int16"));
  EXPECT_THAT(message_for(with<float>(84, 0)), HasSubstr("voxel size of 0 mm along axis 2"));
  EXPECT_THAT(message_for(with<float>(80, std::numeric_limits<float>::quiet_NaN())),
              HasSubstr("voxel size of nan"));
  EXPECT_THAT(message_for(with<float>(108, 0)), HasSubstr("start at byte 0"));
  EXPECT_THAT(message_for(with<float>(108, 1e30f)), HasSubstr("start at byte"));
  EXPECT_THAT(message_for(with<float>(116, std::numeric_limits<float>::infinity())),
              HasSubstr("intercept of inf"));
  EXPECT_THAT(message_for(with<float>(280, std::numeric_limits<float>::infinity())),
              HasSubstr("affine"));
  EXPECT_THAT(message_for(with<std::uint8_t>(123, 1)), HasSubstr("metres"));
  EXPECT_THAT(message_for(small_file(), "x.nii.gz"), HasSubstr("not a gzip stream"));
  EXPECT_THAT(message_for(gzip(small_file(), 1)), HasSubstr("not a NIfTI file"));
  EXPECT_EQ(message_for(gzip(small_file(), 1), "x.nii.gz"), "no error");
}

TEST(NiftiFile, AZeroSlopeMeansUnscaled) {
  auto bytes = with<float>(112, 0);
  bytes[352] = std::byte{7};
  EXPECT_EQ(NiftiFile("x.nii", bytes).read<float>()[0], 7);
}

// Whatever the bytes, the answer is a volume or a DataError.
TEST(NiftiFile, SurvivesTruncationAtEveryByteAndFlippedBytes) {
  const auto good = small_file();
  for (std::size_t size = 0; size < good.size(); ++size) {
    const std::span<const std::byte> part = std::span(good).first(size);
    EXPECT_THROW(NiftiFile("x.nii", part), DataError) << size;
    EXPECT_THROW(NiftiFile("x.nii.gz", gzip(part, 1)), DataError) << size;
  }
  Stream random(1, Purpose::kTest, 0);
  int read = 0;
  for (int i = 0; i < 20'000; ++i) {
    auto bytes = good;
    for (std::uint64_t flips = 1 + random.below(3); flips > 0; --flips) {
      bytes[random.below(352)] ^= static_cast<std::byte>(1u << random.below(8));
    }
    read += message_for(bytes) == "no error";
  }
  EXPECT_GT(read, 1000) << "most bits of a header do not matter";
}

TEST(RequireFinite, CountsAndNamesTheFirstVoxel) {
  std::vector<float> values(24, 1);  // D, H, W = 2, 3, 4
  const Extent extent{2, 3, 4};
  EXPECT_NO_THROW(require_finite(values, extent, "x.nii"));
  values[17] = std::numeric_limits<float>::quiet_NaN();  // d = 1, h = 1, w = 1
  values[20] = std::numeric_limits<float>::infinity();
  try {
    require_finite(values, extent, "x.nii");
    FAIL() << "NaN passed";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("x.nii: 2 voxels are NaN or infinite, the first at "
                                        "(i,j,k) = (1, 1, 1)"));
  }
}

TEST(WriteNifti, LeavesTheOldFileWhenTheDiskIsFull) {
  const TemporaryDirectory directory, stash;
  FaultyFileSystem files(stash.path());
  NiftiHeader header;
  header.size = {3, 2, 2};
  const std::vector<std::uint8_t> mask(12, 1);
  write_nifti<std::uint8_t>(files, directory / "m.nii.gz", header, mask);
  files.free_bytes = 10;
  const std::vector<std::uint8_t> other(12, 2);
  EXPECT_THROW(write_nifti<std::uint8_t>(files, directory / "m.nii.gz", header, other), DataError);
  EXPECT_EQ(NiftiFile(directory / "m.nii.gz").read<std::uint8_t>(), mask);
  EXPECT_THAT(posix_file_system().list(directory.path()), ElementsAre("m.nii.gz"));
  EXPECT_THROW(
      write_nifti<std::uint8_t>(files, directory / "m.nii.gz", header, std::span(mask).first(11)),
      Error);
}

}  // namespace
}  // namespace lacuna::data
