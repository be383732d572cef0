// NIfTI volumes (.nii, .nii.gz) and MetaImages (.mha): reading into D x H x W order, writing back
// onto the same grid.
//
// Reading: integers of 8 to 64 bits, float32, float64, either byte order, NIfTI-1 and -2, 3-D (or
// one volume of a 4-D file), scaled by slope and intercept. Errors are DataErrors that open with
// the file's name: cut off, damaged, not gzip, not NIfTI, unsupported, wrong size. Axis order:
// data/types/axis_order.h. A NiftiFile is immutable, so thread-safe; it owns the inflated file.
//
// Example: const NiftiFile file("t1.nii.gz");
//          std::vector<float> volume = file.read<float>();  // file.header().extent()
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/files/file_system.h"
#include "data/nifti/gzip.h"
#include "data/nifti/nifti_header.h"

namespace lacuna::data {

// The header alone, from the first bytes of the file; `volumes` says whether it is 4-D.
NiftiHeader read_volume_header(const Path& path);

class NiftiFile {
 public:
  // `channel`: which volume of a 4-D file (from 0); -1: the file has three axes.
  explicit NiftiFile(const Path& path, int channel = -1);
  // The same from the bytes of the file, for callers that hash them too. `name` ends in .gz when
  // they are compressed.
  NiftiFile(const Path& name, std::span<const std::byte> file, int channel = -1);

  const NiftiHeader& header() const { return header_; }

  // The volume, D x H x W row-major, scaled. T: float, std::int16_t or std::uint8_t. The integers
  // are exact: DataError naming the first voxel whose value is a fraction, out of range or NaN. But
  // std::uint8_t, the type of labels, is rounded to from a distance of up to 0.001: programs that
  // scale or resample leave labels like 3.99996.
  template <typename T>
  std::vector<T> read() const;

  // True when read<T>() would not throw: a float file may hold nothing but small whole numbers.
  template <typename T>
  bool fits() const;

 private:
  // Position in the file of the first voxel that T cannot hold.
  template <typename T>
  std::optional<std::int64_t> first_unfit() const;

  double value_at(std::int64_t at) const;

  Path name_;
  NiftiHeader header_;
  Buffer content_;  // voxels in native byte order, i fastest
};

// Voxels that are NaN or infinite.
struct NonFinite {
  std::int64_t count = 0;
  std::int64_t first = -1;  // flat index, D x H x W
};
NonFinite find_non_finite(std::span<const float> values);
// "(i,j,k) = (12, 30, 7)": a flat index of a D x H x W volume, as viewers of the file show it.
std::string voxel_name(std::int64_t index, const Extent& extent);
// Throws DataError with count and first voxel.
void require_finite(std::span<const float> values, const Extent& extent, const Path& name);

// Writes a D x H x W volume onto the grid of `grid` (size, position and description; type, scaling
// and version are chosen anew: T unscaled, NIfTI-1), compressed when the name ends in .gz. Durable
// and atomic. T as for read(), or double. Throws DataError; Error when the number of values is not
// the grid's.
template <typename T>
void write_nifti(FileSystem& files, const Path& path, const NiftiHeader& grid,
                 std::span<const T> volume, int level = 6);

// The same of several volumes as one 4-D file.
template <typename T>
void write_nifti_channels(FileSystem& files, const Path& path, const NiftiHeader& grid,
                          const std::vector<std::span<const T>>& volumes, int level = 6);

}  // namespace lacuna::data
