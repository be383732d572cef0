#include "data/nifti/meta_image.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "base/error.h"
#include "base/files/temporary_directory.h"
#include "data/nifti/nifti.h"
#include "data/nifti/orientation.h"

namespace lacuna::data {
namespace {

using ::testing::HasSubstr;

// Writes .mha files as the format describes them.
struct Writer {
  std::string kind = "MET_SHORT", place = "LOCAL", more;
  std::string matrix = "1 0 0 0 1 0 0 0 1", offset = "0 -239 0", spacing = "1 1.5 5.5";
  std::string size = "3 4 2";
  bool compressed = false, msb = false;
  std::size_t cut = 0;  // bytes left out at the end

  template <typename T>
  std::string bytes(const std::vector<T>& values) const {
    std::string raw(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
    if (msb) {
      for (std::size_t at = 0; at < raw.size(); at += sizeof(T)) {
        std::reverse(raw.begin() + static_cast<std::ptrdiff_t>(at),
                     raw.begin() + static_cast<std::ptrdiff_t>(at + sizeof(T)));
      }
    }
    if (compressed) {
      uLongf packed = compressBound(raw.size());
      std::string out(packed, '\0');
      ::compress(reinterpret_cast<Bytef*>(out.data()), &packed,
               reinterpret_cast<const Bytef*>(raw.data()), raw.size());
      raw = out.substr(0, packed);
    }
    std::string text = "ObjectType = Image\nNDims = 3\nBinaryData = True\n";
    text += std::string("BinaryDataByteOrderMSB = ") + (msb ? "True" : "False") + "\n";
    text += std::string("CompressedData = ") + (compressed ? "True" : "False") + "\n";
    text += "TransformMatrix = " + matrix + "\nOffset = " + offset + "\nCenterOfRotation = 0 0 0\n";
    text += "AnatomicalOrientation = RAI\nElementSpacing = " + spacing + "\nDimSize = " + size;
    text += "\r\n" + more + "ElementType = " + kind + "\nElementDataFile = " + place + "\n";
    text += raw;
    return text.substr(0, text.size() - cut);
  }
};

class MetaImageTest : public ::testing::Test {
 protected:
  template <typename T>
  NiftiFile read(const Writer& writer, const std::vector<T>& values) {
    std::ofstream(path_, std::ios::binary) << writer.bytes(values);
    return NiftiFile(path_);
  }
  std::string error_of(const Writer& writer) {
    try {
      read(writer, shorts_);
    } catch (const DataError& error) {
      return error.what();
    }
    return "no error";
  }

  TemporaryDirectory folder_;
  const Path path_ = folder_ / "VSD.Brain.XX.O.MR_Flair.1.mha";
  // i fastest: value = 100 k + 10 j + i, some of them negative.
  const std::vector<std::int16_t> shorts_ = [] {
    std::vector<std::int16_t> values;
    for (int k = 0; k < 2; ++k) {
      for (int j = 0; j < 4; ++j) {
        for (int i = 0; i < 3; ++i)
          values.push_back(static_cast<std::int16_t>(100 * k + 10 * j + i - 5));
      }
    }
    return values;
  }();
};

TEST_F(MetaImageTest, PlainAndCompressedInEitherByteOrder) {
  for (const bool compressed : {false, true}) {
    for (const bool msb : {false, true}) {
      Writer writer;
      writer.compressed = compressed;
      writer.msb = msb;
      const NiftiFile file = read(writer, shorts_);
      EXPECT_EQ(file.header().size, (std::array<std::int64_t, 3>{3, 4, 2}));
      EXPECT_EQ(file.header().voxel_mm, (std::array<double, 3>{1, 1.5, 5.5}));
      const auto volume = file.read<std::int16_t>();  // D x H x W = k, i, j
      for (int k = 0; k < 2; ++k) {
        for (int i = 0; i < 3; ++i) {
          for (int j = 0; j < 4; ++j) {
            EXPECT_EQ(volume[static_cast<std::size_t>((k * 3 + i) * 4 + j)],
                      100 * k + 10 * j + i - 5);
          }
        }
      }
      // LPS: x and y of NIfTI's world point the other way.
      const Affine affine = file.header().affine();
      EXPECT_EQ(affine[0], (std::array<double, 4>{-1, 0, 0, 0}));
      EXPECT_EQ(affine[1], (std::array<double, 4>{0, -1.5, 0, 239}));
      EXPECT_EQ(affine[2], (std::array<double, 4>{0, 0, 5.5, 0}));
      EXPECT_EQ(axis_codes(affine), "LPS");
      EXPECT_EQ(read_volume_header(path_).size, file.header().size);
    }
  }
}

// Three numbers of the matrix are the direction of one axis: i runs along +y here.
TEST_F(MetaImageTest, TheMatrixHoldsADirectionPerAxis) {
  Writer writer;
  writer.matrix = "0 1 0 0 0 -1 1 0 0";
  const Affine affine = read(writer, shorts_).header().affine();
  EXPECT_EQ(axis_codes(affine), "PIL");
  EXPECT_EQ(affine[1][0], -1);
  EXPECT_EQ(affine[2][1], -1.5);
  EXPECT_EQ(affine[0][2], -5.5);
}

TEST_F(MetaImageTest, ReadsOtherTypes) {
  Writer writer;
  writer.kind = "MET_FLOAT";
  EXPECT_EQ(read(writer, std::vector<float>(24, 0.25f)).read<float>()[7], 0.25f);
  writer.kind = "MET_DOUBLE";
  writer.msb = true;
  EXPECT_EQ(read(writer, std::vector<double>(24, 3.99996)).read<std::uint8_t>()[7], 4);
  writer.kind = "MET_UCHAR";
  EXPECT_EQ(read(writer, std::vector<std::uint8_t>(24, 4)).read<std::uint8_t>()[23], 4);
}

TEST_F(MetaImageTest, SaysWhatIsWrong) {
  Writer writer;
  writer.place = "image.raw";
  EXPECT_THAT(error_of(writer), HasSubstr("another file (image.raw)"));
  writer = {};
  writer.kind = "MET_COMPLEX";
  EXPECT_THAT(error_of(writer), HasSubstr("MET_COMPLEX"));
  writer = {};
  writer.more = "ElementNumberOfChannels = 3\n";
  EXPECT_THAT(error_of(writer), HasSubstr("3 channels"));
  writer = {};
  writer.size = "3 4";
  EXPECT_THAT(error_of(writer), HasSubstr("DimSize"));
  writer.size = "3 -4 2";
  EXPECT_THAT(error_of(writer), HasSubstr("-4 voxels along axis 2"));
  writer.size = "30000 30000 30000";
  EXPECT_THAT(error_of(writer), HasSubstr("truncated"));
  writer = {};
  writer.spacing = "1 0 1";
  EXPECT_THAT(error_of(writer), HasSubstr("voxel size of 0 mm"));
  writer = {};
  writer.cut = 3;
  EXPECT_THAT(error_of(writer), HasSubstr("truncated"));
  writer.compressed = true;
  writer.cut = 12;
  EXPECT_THAT(error_of(writer), HasSubstr("truncated or damaged"));
  std::ofstream(path_) << "ObjectType = Image\nno end";
  EXPECT_THROW(NiftiFile{path_}, DataError);
}

}  // namespace
}  // namespace lacuna::data
