#include "data/ingest/case_reader.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/files/hash.h"
#include "data/nifti/regrid.h"
#include "data/types/axis_order.h"

namespace lacuna::data {
namespace {

// Files of one case were registered to one grid; converters round positions differently in the
// last digits. A tenth of a millimetre is far below a voxel and far above rounding.
constexpr double kPositionTolerance = 0.1;  // mm

}  // namespace

std::int64_t modified_ns(const Path& path) {
  const auto time = std::filesystem::last_write_time(path).time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time).count();
}

CaseReader::CaseReader(const CaseRules& rules) : rules_(rules) {
  if (rules.grid) orientation_ = rules.grid->orientation;
}

PlacedFile CaseReader::open(const Path& path, int channel) {
  const auto bytes = posix_file_system().read(path);
  sources.push_back({path.filename().string(), bytes.size(), modified_ns(path), hash_hex(bytes)});
  PlacedFile placed{NiftiFile(path, bytes, channel), {}};
  const NiftiHeader& header = placed.file.header();
  if (const std::string odd = contradiction(header); !odd.empty()) {
    remarks.push_back({Remark::Kind::kContradiction, fmt::format("{}: {}", path.string(), odd)});
  }
  if (header.has_position()) {
    const std::string codes = axis_codes(header.affine());
    if (!grid_ && !rules_.grid) orientation_ = codes;
    if (!orientation_.empty()) placed.turn = axis_turn(codes, orientation_);
  } else if (!grid_ && rules_.grid && !orientation_.empty()) {
    remarks.push_back(
        {Remark::Kind::kNoPosition,
         fmt::format("{}: does not say where its axes point; they are taken as they lie",
                     path.string())});
    orientation_.clear();
  }
  const Placement here{turned(header.size, placed.turn), turned(header.voxel_mm, placed.turn),
                       turned(header.affine(), header.size, placed.turn)};
  if (grid_) {
    check_grid(here, path);
  } else {
    grid_ = here;
    first_ = path;
    choose_voxel_size(path);
  }
  placed.turned_extent = to_depth_first(here.size);
  placed.extent = to_depth_first(size_);
  return placed;
}

Affine CaseReader::affine() const { return regridded(grid_->affine, grid_->size, size_); }

std::array<double, 3> CaseReader::voxel_mm() const {
  std::array<double, 3> result = grid_->voxel_mm;
  for (std::size_t a = 0; a < 3; ++a) {
    result[a] *= static_cast<double>(grid_->size[a]) / static_cast<double>(size_[a]);
  }
  return size_ == grid_->size ? grid_->voxel_mm : result;
}

void CaseReader::choose_voxel_size(const Path& path) {
  size_ = grid_->size;
  if (!rules_.grid) return;
  const std::array<double, 3> wanted = to_file_order(rules_.grid->spacing_mm);
  bool same = true;
  for (std::size_t a = 0; a < 3; ++a) {
    same = same && std::abs(grid_->voxel_mm[a] - wanted[a]) <= kSpacingTolerance * wanted[a];
  }
  if (same) return;
  if (!rules_.resample) {
    throw_error<DataError>(
        "{}: voxels of {} mm, those of the cohort have {} (along {}). Resample the case with "
        "--resample (images linearly, labels by the nearest voxel), or leave it out.",
        path.string(), fmt::join(grid_->voxel_mm, " x "), fmt::join(wanted, " x "),
        orientation_.empty() ? "i, j, k" : orientation_);
  }
  for (std::size_t a = 0; a < 3; ++a) {
    size_[a] = regridded(grid_->size[a], grid_->voxel_mm[a], wanted[a]);
  }
}

void CaseReader::check_grid(const Placement& here, const Path& path) const {
  if (here.size != grid_->size) {
    throw_error<DataError>(
        "{}: {} voxels, but {} has {}. All files of a case must lie on one grid: register and "
        "resample them, or leave the case out.",
        path.string(), fmt::join(here.size, " x "), first_.filename().string(),
        fmt::join(grid_->size, " x "));
  }
  // The affine of a grid is known by where it puts the corners.
  double worst = 0;
  const Affine &a = here.affine, &b = grid_->affine;
  for (int corner = 0; corner < 8; ++corner) {
    for (std::size_t row = 0; row < 3; ++row) {
      double distance = a[row][3] - b[row][3];
      for (std::size_t axis = 0; axis < 3; ++axis) {
        const auto last = static_cast<double>(here.size[axis] - 1);
        if ((corner >> axis & 1) != 0) distance += (a[row][axis] - b[row][axis]) * last;
      }
      worst = std::max(worst, std::abs(distance));
    }
  }
  if (worst > kPositionTolerance) {
    throw_error<DataError>(
        "{}: lies elsewhere than {}: their affines put a corner {:.1f} mm apart. Register the "
        "files to one grid, or leave the case out.",
        path.string(), first_.filename().string(), worst);
  }
}

}  // namespace lacuna::data
