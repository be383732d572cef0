#include "data/nifti/nifti.h"

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <type_traits>

#include "base/error.h"
#include "data/nifti/meta_image.h"
#include "data/types/axis_order.h"

namespace lacuna::data {
namespace {

constexpr std::size_t kHeaderBytes = 1024;  // and more

bool ends_in_gz(const Path& path) { return path.extension() == ".gz"; }

// Of one volume.
std::uint64_t bytes_of(const NiftiHeader& header) {
  return static_cast<std::uint64_t>(header.voxels()) * size_of(header.type);
}

// Calls visit(T{}) with the C++ type of the stored values.
template <typename Visit>
decltype(auto) with_type(NiftiType type, Visit&& visit) {
  switch (type) {
    case NiftiType::kUint8:
      return visit(std::uint8_t{});
    case NiftiType::kInt16:
      return visit(std::int16_t{});
    case NiftiType::kInt32:
      return visit(std::int32_t{});
    case NiftiType::kFloat32:
      return visit(float{});
    case NiftiType::kFloat64:
      return visit(double{});
    case NiftiType::kInt8:
      return visit(std::int8_t{});
    case NiftiType::kUint16:
      return visit(std::uint16_t{});
    case NiftiType::kUint32:
      return visit(std::uint32_t{});
    case NiftiType::kInt64:
      return visit(std::int64_t{});
    case NiftiType::kUint64:
      return visit(std::uint64_t{});
  }
  throw_error<Error>("NIfTI type {} is not known", static_cast<int>(type));
}

template <typename NiftiValue>
constexpr NiftiType type_of() {
  if constexpr (std::is_same_v<NiftiValue, std::uint8_t>) return NiftiType::kUint8;
  if constexpr (std::is_same_v<NiftiValue, std::int16_t>) return NiftiType::kInt16;
  if constexpr (std::is_same_v<NiftiValue, float>) return NiftiType::kFloat32;
  if constexpr (std::is_same_v<NiftiValue, double>) return NiftiType::kFloat64;
}

template <typename T>
bool holds(double value) {
  constexpr double kTolerance = std::is_same_v<T, std::uint8_t> ? 1e-3 : 0;
  const double rounded = std::nearbyint(value);  // NaN stays NaN and fails each comparison
  return rounded >= static_cast<double>(std::numeric_limits<T>::lowest()) &&
         rounded <= static_cast<double>(std::numeric_limits<T>::max()) &&
         std::abs(value - rounded) <= kTolerance;
}

template <typename T>
T convert(double value) {
  if constexpr (std::is_floating_point_v<T>) return static_cast<T>(value);
  return static_cast<T>(std::nearbyint(value));
}

// Every value of Stored is a value of T.
template <typename T, typename Stored>
constexpr bool kContains = std::is_floating_point_v<T> ||
                           (std::is_integral_v<Stored> &&
                            std::numeric_limits<T>::digits >= std::numeric_limits<Stored>::digits &&
                            (std::is_signed_v<T> || !std::is_signed_v<Stored>));

void swap_bytes(std::byte* bytes, std::int64_t values, std::size_t width) {
  for (std::int64_t i = 0; i < values; ++i, bytes += width) std::reverse(bytes, bytes + width);
}

}  // namespace

NiftiHeader read_volume_header(const Path& path) {
  // A NIfTI header has 348 or 540 bytes, that of a MetaImage a few lines of text.
  constexpr std::size_t kStart = 1 << 16;
  std::vector<std::byte> start(kStart);
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(start.data()), kStart);
  start.resize(static_cast<std::size_t>(std::max<std::streamsize>(0, file.gcount())));
  if (is_meta_image(path)) return parse_meta_image(start, path).header;
  if (!ends_in_gz(path)) return parse_nifti_header(start, path);
  return parse_nifti_header(inflate_prefix(start, path, kHeaderBytes).bytes(), path);
}

NiftiFile::NiftiFile(const Path& path, int channel)
    : NiftiFile(path, posix_file_system().read(path), channel) {}

NiftiFile::NiftiFile(const Path& name, std::span<const std::byte> file, int channel) : name_(name) {
  Buffer inflated;
  std::uint64_t start = 0;
  if (is_meta_image(name)) {
    const MetaImage image = parse_meta_image(file, name);
    header_ = image.header;
    file = file.subspan(header_.data_offset);
    if (image.compressed) {
      inflated = inflate_prefix(file, name, bytes_of(header_));
      file = inflated.bytes();
    }
  } else if (ends_in_gz(name)) {
    check_gzip(file, name);
    header_ = parse_nifti_header(inflate_prefix(file, name, kHeaderBytes).bytes(), name);
    start = header_.data_offset;
    inflated =
        gunzip(file, name, start + bytes_of(header_) * static_cast<std::uint64_t>(header_.volumes));
    file = inflated.bytes();
  } else {
    header_ = parse_nifti_header(file, name);
    start = header_.data_offset;
  }
  const std::uint64_t wanted = bytes_of(header_);
  if (header_.volumes > 1 && channel < 0) {
    throw_error<DataError>(
        "{}: an image of 4 dimensions, expected 3. Split it into single volumes first, or name a "
        "profile that says which volume is which modality.",
        name.string());
  }
  if (channel >= 0) {
    if (channel >= header_.volumes) {
      throw_error<DataError>(
          "{}: has {} channels, channel {} was asked for (from 0). Check the profile.",
          name.string(), header_.volumes, channel);
    }
    start += static_cast<std::uint64_t>(channel) * wanted;
  }
  header_.volumes = 1;
  if (start > file.size() || wanted > file.size() - start) {
    throw_error<DataError>(
        "{}: truncated: {} x {} x {} values of {} from byte {} on need {} bytes, the file has {}. "
        "Copy it again.",
        name.string(), header_.size[0], header_.size[1], header_.size[2], name_of(header_.type),
        start, start + wanted, file.size());
  }
  // Moved to the front of a buffer of our own: aligned, and without the header.
  content_ = {std::make_unique_for_overwrite<std::byte[]>(wanted), wanted};
  std::memcpy(content_.data.get(), file.data() + start, wanted);
  if (header_.big_endian) {
    swap_bytes(content_.data.get(), header_.voxels(), size_of(header_.type));
  }
}

template <typename T>
std::optional<std::int64_t> NiftiFile::first_unfit() const {
  return with_type(header_.type, [&](auto kind) -> std::optional<std::int64_t> {
    using Stored = decltype(kind);
    const bool scaled = header_.slope != 1 || header_.intercept != 0;
    if (kContains<T, Stored> && !scaled) return std::nullopt;
    const auto* stored = reinterpret_cast<const Stored*>(content_.data.get());
    for (std::int64_t i = 0; i < header_.voxels(); ++i) {
      if (!holds<T>(static_cast<double>(stored[i]) * header_.slope + header_.intercept)) return i;
    }
    return std::nullopt;
  });
}

double NiftiFile::value_at(std::int64_t at) const {
  return with_type(header_.type, [&](auto kind) {
    const auto* stored = reinterpret_cast<const decltype(kind)*>(content_.data.get());
    return static_cast<double>(stored[at]) * header_.slope + header_.intercept;
  });
}

template <typename T>
bool NiftiFile::fits() const {
  return std::is_floating_point_v<T> || !first_unfit<T>();
}

template <typename T>
std::vector<T> NiftiFile::read() const {
  if constexpr (!std::is_floating_point_v<T>) {
    if (const auto at = first_unfit<T>()) {
      const auto [ni, nj, nk] = header_.size;
      throw_error<DataError>(
          "{}: voxel (i,j,k) = ({}, {}, {}) is {}, which is not a whole number from {} to {}. "
          "Check "
          "that this is the right file.",
          name_.string(), *at % ni, *at / ni % nj, *at / (ni * nj), value_at(*at),
          std::numeric_limits<T>::lowest(), std::numeric_limits<T>::max());
    }
  }
  std::vector<T> volume(static_cast<std::size_t>(header_.voxels()));
  with_type(header_.type, [&](auto kind) {
    using Stored = decltype(kind);
    const auto* stored = reinterpret_cast<const Stored*>(content_.data.get());
    const auto [ni, nj, nk] = header_.size;
    const double slope = header_.slope, intercept = header_.intercept;
    if (slope == 1 && intercept == 0) {
      transpose_slices(stored, nk, nj, ni, volume.data(), [](Stored v) {
        if constexpr (std::is_integral_v<Stored>) return static_cast<T>(v);
        return convert<T>(static_cast<double>(v));
      });
    } else {
      transpose_slices(stored, nk, nj, ni, volume.data(), [=](Stored v) {
        return convert<T>(static_cast<double>(v) * slope + intercept);
      });
    }
  });
  return volume;
}

NonFinite find_non_finite(std::span<const float> values) {
  NonFinite found;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) continue;
    if (found.count++ == 0) found.first = static_cast<std::int64_t>(i);
  }
  return found;
}

std::string voxel_name(std::int64_t index, const Extent& extent) {
  const auto [i, j, k] = to_file_order<std::int64_t>(
      {index / (extent[1] * extent[2]), index / extent[2] % extent[1], index % extent[2]});
  return fmt::format("(i,j,k) = ({}, {}, {})", i, j, k);
}

void require_finite(std::span<const float> values, const Extent& extent, const Path& name) {
  const NonFinite found = find_non_finite(values);
  if (found.count == 0) return;
  throw_error<DataError>(
      "{}: {} voxels are NaN or infinite, the first at {}. Repair the image, or leave the case "
      "out.",
      name.string(), found.count, voxel_name(found.first, extent));
}

template <typename T>
void write_nifti_channels(FileSystem& files, const Path& path, const NiftiHeader& grid,
                          const std::vector<std::span<const T>>& volumes, int level) {
  std::vector<std::byte> bytes = encode_nifti_header(grid, type_of<T>());
  const auto [depth, rows, columns] = grid.extent();
  if (volumes.size() > 1) {
    constexpr std::size_t kDim = 40;  // of NIfTI-1
    const std::int16_t four = 4, channels = static_cast<std::int16_t>(volumes.size());
    std::memcpy(bytes.data() + kDim, &four, sizeof four);
    std::memcpy(bytes.data() + kDim + 4 * sizeof channels, &channels, sizeof channels);
  }
  for (const std::span<const T> volume : volumes) {
    if (static_cast<std::int64_t>(volume.size()) != grid.voxels()) {
      throw_error<Error>("{}: {} values for a grid of {} x {} x {}", path.string(), volume.size(),
                         grid.size[0], grid.size[1], grid.size[2]);
    }
    const std::size_t begin = bytes.size();
    bytes.resize(begin + volume.size_bytes());
    // 352 bytes of header keep the values aligned.
    transpose_slices(volume.data(), depth, rows, columns,
                     reinterpret_cast<T*>(bytes.data() + begin), [](T v) { return v; });
  }
  write_durably(files, path, ends_in_gz(path) ? gzip(bytes, level) : bytes);
}

template <typename T>
void write_nifti(FileSystem& files, const Path& path, const NiftiHeader& grid,
                 std::span<const T> volume, int level) {
  write_nifti_channels<T>(files, path, grid, {volume}, level);
}

template std::vector<float> NiftiFile::read<float>() const;
template std::vector<std::int16_t> NiftiFile::read<std::int16_t>() const;
template std::vector<std::uint8_t> NiftiFile::read<std::uint8_t>() const;
template bool NiftiFile::fits<float>() const;
template bool NiftiFile::fits<std::int16_t>() const;
template bool NiftiFile::fits<std::uint8_t>() const;
template void write_nifti<float>(FileSystem&, const Path&, const NiftiHeader&,
                                 std::span<const float>, int);
template void write_nifti<double>(FileSystem&, const Path&, const NiftiHeader&,
                                  std::span<const double>, int);
template void write_nifti<std::int16_t>(FileSystem&, const Path&, const NiftiHeader&,
                                        std::span<const std::int16_t>, int);
template void write_nifti<std::uint8_t>(FileSystem&, const Path&, const NiftiHeader&,
                                        std::span<const std::uint8_t>, int);

template void write_nifti_channels<std::int16_t>(FileSystem&, const Path&, const NiftiHeader&,
                                                 const std::vector<std::span<const std::int16_t>>&,
                                                 int);

}  // namespace lacuna::data
