#include "data/nifti/nifti_header.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <type_traits>

#include <fmt/ranges.h>

#include "base/error.h"
#include "data/types/axis_order.h"

namespace lacuna::data {
namespace {

static_assert(std::endian::native == std::endian::little, "headers are written as they lie");

struct TypeRow {
  NiftiType type;
  const char* name;
  std::size_t bytes;
};
constexpr TypeRow kTypes[] = {
    {NiftiType::kUint8, "uint8", 1},     {NiftiType::kInt16, "int16", 2},
    {NiftiType::kInt32, "int32", 4},     {NiftiType::kFloat32, "float32", 4},
    {NiftiType::kFloat64, "float64", 8}, {NiftiType::kInt8, "int8", 1},
    {NiftiType::kUint16, "uint16", 2},   {NiftiType::kUint32, "uint32", 4},
    {NiftiType::kInt64, "int64", 8},     {NiftiType::kUint64, "uint64", 8},
};

// Where the fields lie, in bytes, and how wide each kind of field is.
struct Layout {
  std::size_t header_bytes, dim, dim_bytes, datatype, bitpix, pixdim, real_bytes, vox_offset, slope,
      intercept, units, description, qform_code, sform_code, code_bytes, quaternion, offset, sform,
      magic;
};
constexpr Layout kVersion1{348, 40,  2,   70,  72, 76,  4,   108, 112, 116,
                           123, 148, 252, 254, 2,  256, 268, 280, 344};
constexpr Layout kVersion2{540, 16,  8,   12,  14, 104, 8,   168, 176, 184,
                           500, 240, 344, 348, 4,  352, 376, 400, 4};
constexpr std::size_t kDescriptionBytes = 80;
constexpr std::int64_t kLargestExtent = 32767;  // what NIfTI-1 can say
constexpr int kUnitsMillimetre = 2, kUnitsSecond = 8;

class Fields {
 public:
  Fields(std::span<const std::byte> bytes, bool swapped) : bytes_(bytes), swapped_(swapped) {}

  template <typename T>
  T at(std::size_t offset) const {
    std::array<std::byte, sizeof(T)> raw;
    std::memcpy(raw.data(), bytes_.data() + offset, sizeof(T));
    if (swapped_) std::reverse(raw.begin(), raw.end());
    return std::bit_cast<T>(raw);
  }
  std::int64_t whole(std::size_t offset, std::size_t width) const {
    if (width == 2) return at<std::int16_t>(offset);
    return width == 4 ? at<std::int32_t>(offset) : at<std::int64_t>(offset);
  }
  double real(std::size_t offset, std::size_t width) const {
    return width == 4 ? static_cast<double>(at<float>(offset)) : at<double>(offset);
  }

 private:
  std::span<const std::byte> bytes_;
  bool swapped_;
};

[[noreturn]] void refuse(const Path& name, const std::string& reason, const char* remedy) {
  throw_error<DataError>("{}: {}. {}", name.string(), reason, remedy);
}

constexpr const char* kWriteAgain =
    "Write it again with the program that made it, or copy it again.";

// Which version and byte order, by the header's own size in its first four bytes.
const Layout& detect(std::span<const std::byte> file, const Path& name, NiftiHeader& header) {
  const Fields native(file, false), swapped(file, true);
  if (file.size() >= 4) {
    for (const Layout* layout : {&kVersion1, &kVersion2}) {
      const auto wanted = static_cast<std::int32_t>(layout->header_bytes);
      header.version = layout == &kVersion1 ? 1 : 2;
      header.big_endian = swapped.at<std::int32_t>(0) == wanted;
      if (!header.big_endian && native.at<std::int32_t>(0) != wanted) continue;
      if (file.size() < layout->header_bytes) {
        refuse(name, fmt::format("truncated inside the header, at {} bytes", file.size()),
               kWriteAgain);
      }
      return *layout;
    }
  }
  refuse(name, "not a NIfTI file (no header of 348 or 540 bytes)",
         "Lacuna reads .nii and .nii.gz; convert other formats first.");
}

void check_magic(std::span<const std::byte> file, const Layout& layout, const Path& name,
                 int version) {
  const char* magic = reinterpret_cast<const char*>(file.data() + layout.magic);
  if (std::memcmp(magic, version == 1 ? "n+1" : "n+2", 4) == 0) return;
  if (std::memcmp(magic, version == 1 ? "ni1" : "ni2", 4) == 0) {
    refuse(name, "the header of a two-file NIfTI image (.hdr and .img)",
           "Convert it to a single .nii.gz.");
  }
  refuse(name, "not a NIfTI file (no magic number; ANALYZE 7.5 looks like this)",
         "Convert it to NIfTI: ANALYZE does not say which side is left.");
}

void read_grid(const Fields& fields, const Layout& layout, const Path& name, NiftiHeader& header) {
  const auto dim = [&](std::size_t axis) {
    return fields.whole(layout.dim + axis * layout.dim_bytes, layout.dim_bytes);
  };
  const std::int64_t axes = dim(0);
  if (axes < 1 || axes > 7) {
    refuse(name, fmt::format("its header says {} dimensions", axes), kWriteAgain);
  }
  std::int64_t further = 1;
  for (std::int64_t axis = 5; axis <= axes; ++axis) {
    further = std::max(further, dim(static_cast<std::size_t>(axis)));
  }
  if (axes < 3 || further > 1) {
    refuse(name, fmt::format("an image of {} dimensions, expected 3", axes),
           "Split it into single volumes first.");
  }
  if (axes >= 4) header.volumes = dim(4);
  if (header.volumes < 1 || header.volumes > kLargestExtent) {
    refuse(name, fmt::format("its header says {} voxels along axis 4", header.volumes),
           kWriteAgain);
  }
  for (std::size_t axis = 0; axis < 3; ++axis) {
    header.size[axis] = dim(axis + 1);
    if (header.size[axis] < 1 || header.size[axis] > kLargestExtent) {
      refuse(name,
             fmt::format("its header says {} voxels along axis {}", header.size[axis], axis + 1),
             kWriteAgain);
    }
    const double size =
        fields.real(layout.pixdim + (axis + 1) * layout.real_bytes, layout.real_bytes);
    header.voxel_mm[axis] = std::abs(size);
    if (!(header.voxel_mm[axis] > 0) || !std::isfinite(size)) {
      refuse(name,
             fmt::format("its header says a voxel size of {} mm along axis {}", size, axis + 1),
             "Distances in mm need it: set pixdim.");
    }
  }
  const int units = (header.version == 1 ? fields.at<std::uint8_t>(layout.units)
                                         : fields.at<std::int32_t>(layout.units)) &
                    7;
  if (units != 0 && units != kUnitsMillimetre) {
    refuse(name,
           fmt::format("its lengths are in {}", units == 1   ? "metres"
                                                : units == 3 ? "micrometres"
                                                             : "an unknown unit"),
           "Lacuna expects mm: convert it, or correct xyzt_units.");
  }
}

void read_values(const Fields& fields, const Layout& layout, const Path& name,
                 NiftiHeader& header) {
  const auto code = fields.at<std::int16_t>(layout.datatype);
  const auto* row = std::find_if(std::begin(kTypes), std::end(kTypes), [&](const TypeRow& each) {
    return static_cast<std::int16_t>(each.type) == code;
  });
  if (row == std::end(kTypes)) {
    refuse(name,
           fmt::format("values of NIfTI type {}{}", code,
                       code == 32 || code == 1792 || code == 2048 ? " (complex)"
                       : code == 128 || code == 2304              ? " (colour)"
                                                                  : ""),
           "Lacuna reads integers of 8 to 64 bits, float32 and float64: convert it.");
  }
  header.type = row->type;
  // A slope of 0 (or none at all) means that the values are not scaled.
  const double slope = fields.real(layout.slope, layout.real_bytes);
  const double intercept = fields.real(layout.intercept, layout.real_bytes);
  if (slope != 0 && std::isfinite(slope)) {
    header.slope = slope;
    if (!std::isfinite(intercept)) {
      refuse(name, fmt::format("its header says an intercept of {}", intercept), kWriteAgain);
    }
    header.intercept = intercept;
  }
  const double offset = header.version == 1
                            ? fields.real(layout.vox_offset, layout.real_bytes)
                            : static_cast<double>(fields.whole(layout.vox_offset, 8));
  // Not below the header and its four bytes of extension flags; exact in a double.
  if (!(offset >= static_cast<double>(layout.header_bytes) + 4 && offset < 0x1p52)) {
    refuse(name, fmt::format("its header says that the voxels start at byte {}", offset),
           kWriteAgain);
  }
  header.data_offset = static_cast<std::uint64_t>(offset);
}

void read_position(const Fields& fields, const Layout& layout, NiftiHeader& header) {
  const auto real = [&](std::size_t offset, std::size_t index) {
    return fields.real(offset + index * layout.real_bytes, layout.real_bytes);
  };
  header.qform_code = static_cast<int>(fields.whole(layout.qform_code, layout.code_bytes));
  header.sform_code = static_cast<int>(fields.whole(layout.sform_code, layout.code_bytes));
  header.qfac = real(layout.pixdim, 0) < 0 ? -1 : 1;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    header.quaternion[axis] = real(layout.quaternion, axis);
    header.offset_mm[axis] = real(layout.offset, axis);
    for (std::size_t column = 0; column < 4; ++column) {
      header.sform[axis][column] = real(layout.sform, axis * 4 + column);
    }
  }
}

Affine qform_affine(const NiftiHeader& header) {
  auto [b, c, d] = header.quaternion;
  // Rounding may leave the vector part a little longer than 1: then the rotation is by 180 degrees.
  const double squares = b * b + c * c + d * d;
  const double a = squares < 1 ? std::sqrt(1 - squares) : 0;
  if (squares > 1) {
    const double length = std::sqrt(squares);
    b /= length, c /= length, d /= length;
  }
  const double rotation[3][3] = {
      {a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)},
      {2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)},
      {2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c}};
  const double scale[3] = {header.voxel_mm[0], header.voxel_mm[1],
                           header.voxel_mm[2] * header.qfac};
  Affine affine{};
  for (std::size_t row = 0; row < 3; ++row) {
    for (std::size_t column = 0; column < 3; ++column) {
      affine[row][column] = rotation[row][column] * scale[column];
    }
    affine[row][3] = header.offset_mm[row];
  }
  affine[3][3] = 1;
  return affine;
}

}  // namespace

std::size_t size_of(NiftiType type) {
  for (const TypeRow& row : kTypes) {
    if (row.type == type) return row.bytes;
  }
  return 0;
}

const char* name_of(NiftiType type) {
  for (const TypeRow& row : kTypes) {
    if (row.type == type) return row.name;
  }
  return "unknown";
}

bool is_floating_point(NiftiType type) {
  return type == NiftiType::kFloat32 || type == NiftiType::kFloat64;
}

Extent NiftiHeader::extent() const { return to_depth_first(size); }

std::array<double, 3> NiftiHeader::spacing_mm() const { return to_depth_first(voxel_mm); }

Affine NiftiHeader::affine() const {
  Affine affine{};
  affine[3][3] = 1;
  if (sform_code > 0) {
    std::copy(sform.begin(), sform.end(), affine.begin());
  } else if (qform_code > 0) {
    return qform_affine(*this);
  } else {
    for (std::size_t axis = 0; axis < 3; ++axis) affine[axis][axis] = voxel_mm[axis];
  }
  return affine;
}

std::string contradiction(const NiftiHeader& header) {
  constexpr double kTolerance = 0.05;
  const Affine affine = header.affine();
  std::array<double, 3> lengths{};
  bool differs = false;
  for (std::size_t a = 0; a < 3; ++a) {
    lengths[a] = std::hypot(affine[0][a], affine[1][a], affine[2][a]);
    differs =
        differs || std::abs(lengths[a] - header.voxel_mm[a]) > kTolerance * header.voxel_mm[a];
  }
  if (!differs) return "";
  return fmt::format(
      "its header contradicts itself: voxels of {:.4g} mm by pixdim, of {:.4g} mm by the affine. "
      "Distances are computed with pixdim; correct the header",
      fmt::join(header.voxel_mm, " x "), fmt::join(lengths, " x "));
}

NiftiHeader parse_nifti_header(std::span<const std::byte> file, const Path& name) {
  NiftiHeader header;
  const Layout& layout = detect(file, name, header);
  check_magic(file, layout, name, header.version);
  const Fields fields(file, header.big_endian);
  read_grid(fields, layout, name, header);
  read_values(fields, layout, name, header);
  read_position(fields, layout, header);
  for (const auto& row : header.affine()) {
    if (!std::all_of(row.begin(), row.end(), [](double value) { return std::isfinite(value); })) {
      refuse(name, "its affine has entries that are not finite", kWriteAgain);
    }
  }
  const char* text = reinterpret_cast<const char*>(file.data() + layout.description);
  header.description.assign(text, ::strnlen(text, kDescriptionBytes - 1));
  return header;
}

std::vector<std::byte> encode_nifti_header(const NiftiHeader& header, NiftiType type) {
  constexpr Layout layout = kVersion1;
  std::vector<std::byte> bytes(352);
  const auto put = [&](std::size_t offset, auto value) {
    std::memcpy(bytes.data() + offset, &value, sizeof value);
  };
  const auto put_real = [&](std::size_t offset, std::size_t index, double value) {
    put(offset + index * layout.real_bytes, static_cast<float>(value));
  };
  put(0, static_cast<std::int32_t>(layout.header_bytes));
  const std::int16_t dims[8] = {3,
                                static_cast<std::int16_t>(header.size[0]),
                                static_cast<std::int16_t>(header.size[1]),
                                static_cast<std::int16_t>(header.size[2]),
                                1,
                                1,
                                1,
                                1};
  std::memcpy(bytes.data() + layout.dim, dims, sizeof dims);
  put(layout.datatype, static_cast<std::int16_t>(type));
  put(layout.bitpix, static_cast<std::int16_t>(size_of(type) * 8));
  put_real(layout.pixdim, 0, header.qfac);
  put_real(layout.vox_offset, 0, static_cast<double>(bytes.size()));
  put_real(layout.slope, 0, 1);
  put(layout.units, static_cast<std::uint8_t>(kUnitsMillimetre | kUnitsSecond));
  std::memcpy(bytes.data() + layout.description, header.description.data(),
              std::min(header.description.size(), kDescriptionBytes - 1));
  put(layout.qform_code, static_cast<std::int16_t>(header.qform_code));
  put(layout.sform_code, static_cast<std::int16_t>(header.sform_code));
  for (std::size_t axis = 0; axis < 3; ++axis) {
    put_real(layout.pixdim, axis + 1, header.voxel_mm[axis]);
    put_real(layout.quaternion, axis, header.quaternion[axis]);
    put_real(layout.offset, axis, header.offset_mm[axis]);
    for (std::size_t column = 0; column < 4; ++column) {
      put_real(layout.sform, axis * 4 + column, header.sform[axis][column]);
    }
  }
  std::memcpy(bytes.data() + layout.magic, "n+1", 4);
  return bytes;
}

}  // namespace lacuna::data
