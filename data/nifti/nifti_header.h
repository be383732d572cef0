// The header of a NIfTI (or MetaImage) file: what the voxels are and where they lie in the world.
//
// Reads NIfTI-1 and NIfTI-2 of either byte order; writes NIfTI-1, little-endian. Arrays over axes
// are in FILE order (i,j,k); extent() and spacing_mm() give Lacuna's D, H, W
// (data/types/axis_order.h). A value; thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/files/file_system.h"
#include "data/types/extent.h"

namespace lacuna::data {

// Codes of the format. Complex and colour types are refused.
enum class NiftiType : std::int16_t {
  kUint8 = 2,
  kInt16 = 4,
  kInt32 = 8,
  kFloat32 = 16,
  kFloat64 = 64,
  kInt8 = 256,
  kUint16 = 512,
  kUint32 = 768,
  kInt64 = 1024,
  kUint64 = 1280,
};

std::size_t size_of(NiftiType type);  // bytes
const char* name_of(NiftiType type);  // "int16"
bool is_floating_point(NiftiType type);

using Affine = std::array<std::array<double, 4>, 4>;

struct NiftiHeader {
  int version = 1;  // of the file that was read
  bool big_endian = false;
  NiftiType type = NiftiType::kInt16;
  std::array<std::int64_t, 3> size{};       // ni, nj, nk in voxels
  std::int64_t volumes = 1;                 // of a 4-D file; the others follow in the file
  std::array<double, 3> voxel_mm{1, 1, 1};  // along i, j, k
  double slope = 1, intercept = 0;          // value = slope * stored + intercept
  std::uint64_t data_offset = 352;          // bytes from the start of the (inflated) file

  // The two ways in which a file states its position; codes say what the world is (0: not given).
  int qform_code = 0, sform_code = 0;
  double qfac = 1;                               // -1: the k axis is reversed
  std::array<double, 3> quaternion{};            // b, c, d
  std::array<double, 3> offset_mm{};             // of the qform
  std::array<std::array<double, 4>, 3> sform{};  // rows
  std::string description;                       // at most 79 bytes

  Extent extent() const;                                               // D, H, W
  std::array<double, 3> spacing_mm() const;                            // D, H, W
  std::int64_t voxels() const { return size[0] * size[1] * size[2]; }  // of one volume
  bool has_position() const { return sform_code > 0 || qform_code > 0; }
  // Voxel (i,j,k) -> world mm by the rules of the format: the sform when its code is positive, else
  // the qform when its code is, else the voxel size alone, from a corner at the origin ("method
  // 1"). nibabel differs in the last case only: it centres the volume and mirrors the first axis.
  Affine affine() const;
};

// What is wrong when pixdim and the affine say different voxel sizes; "" when they agree.
std::string contradiction(const NiftiHeader& header);

// `file`: the inflated file, at least its header. Throws DataError, opened by `name`.
NiftiHeader parse_nifti_header(std::span<const std::byte> file, const Path& name);

// The 352 bytes before the voxels: the grid and position of `header` for values of `type`,
// unscaled.
std::vector<std::byte> encode_nifti_header(const NiftiHeader& header, NiftiType type);

}  // namespace lacuna::data
