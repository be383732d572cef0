// The files of one case, opened one after the other: turned to the axes of the rules, and all on
// one grid.
//
// Not thread-safe; a reader per case.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/ingest/ingest_case.h"
#include "data/nifti/nifti.h"
#include "data/nifti/orientation.h"

namespace lacuna::data {

// When a file was last written, as CaseHeader::sources states it.
std::int64_t modified_ns(const Path& path);

// A file with what turns it, and resamples it, to the grid of the case.
struct PlacedFile {
  NiftiFile file;
  AxisTurn turn;
  Extent turned_extent{}, extent{};  // after turning; after resampling, too

  template <typename T>
  std::vector<T> read() const {
    return turned(file.read<T>(), file.header().size, turn);
  }
  bool resampled() const { return turned_extent != extent; }
};

class CaseReader {
 public:
  // `rules` must outlive the reader.
  explicit CaseReader(const CaseRules& rules);

  // `channel`: of a 4-D file, or -1. Throws DataError: unreadable, on another grid than the files
  // before it, or of another voxel size than the rules ask for.
  PlacedFile open(const Path& path, int channel = -1);

  // Of the case, from its first file on.
  const std::array<std::int64_t, 3>& size() const { return size_; }  // along i, j, k
  Affine affine() const;
  std::array<double, 3> voxel_mm() const;                          // along i, j, k
  const std::string& orientation() const { return orientation_; }  // "": unknown

  std::vector<SourceFile> sources;  // that were opened; the caller adds those that are not there
  std::vector<Remark> remarks;

 private:
  // Where the voxels of a (turned) volume lie; arrays along i, j, k.
  struct Placement {
    std::array<std::int64_t, 3> size{};
    std::array<double, 3> voxel_mm{};
    Affine affine{};
  };
  void choose_voxel_size(const Path& path);
  void check_grid(const Placement& here, const Path& path) const;

  const CaseRules& rules_;
  std::optional<Placement> grid_;  // of the files, turned
  Path first_;
  std::string orientation_;
  std::array<std::int64_t, 3> size_{};  // the grid's, or after resampling
};

}  // namespace lacuna::data
