// One case of a cache, open for reading: its HDF5 file, memory-mapped where it is contiguous.
//
// Reading is thread-safe (HDF5 is touched only while opening); move-only. The file stays mapped
// while the object lives.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "data/cache/case_header.h"
#include "data/cache/cohort.h"

namespace lacuna::data {

// A piece of a row as the file holds it: intensity = stored * scale + offset.
struct StoredRow {
  Extent place{};                          // of its first voxel in the box that was asked for
  std::int64_t count = 0;                  // voxels
  const std::int16_t* integers = nullptr;  // scale 1, offset 0; or null
  const std::uint16_t* halves = nullptr;   // float16; or null
  float scale = 1, offset = 0;
};

class CaseFile {
 public:
  // Throws DataError (missing, damaged, checksum of the header differs from cohort.json).
  CaseFile(const Cohort& cohort, const CaseInfo& info);
  // A case file by itself, without a cohort to compare it with.
  explicit CaseFile(const std::filesystem::path& path);
  ~CaseFile();
  CaseFile(CaseFile&&) noexcept;

  const CaseInfo& info() const;
  const CaseHeader& header() const;
  const IntensityStatistics& statistics(int modality) const;
  // The same, with the trimmed mean and deviation also where the file is of version 1 and lacks
  // them: then they are computed from its voxels, once.
  const IntensityStatistics& trimmed_statistics(int modality) const;

  // Copies a box of one modality to `out` as raw intensities (file units), D x H x W row-major.
  // `corner` is in voxels of the FULL volume and may lie outside the brain box or the volume:
  // voxels there get the modality's background value. An absent modality is all background.
  void read_image(int modality, const Extent& corner, const Extent& extent, float* out) const;

  // The pieces of that box that the file holds, without a copy, for callers that convert while
  // they read. A row comes whole, or cut at the borders of compressed chunks; what lies outside the
  // brain box, or is absent, does not come. Pointers are valid during the call.
  void for_each_stored_row(int modality, const Extent& corner, const Extent& extent,
                           const std::function<void(const StoredRow&)>& use) const;

  // read_image() for the label, as Tissue values; 0 outside.
  void read_label(const Extent& corner, const Extent& extent, std::uint8_t* out) const;

  // The same for a label map of the case; kNoLabelMap is no value of one. Throws Error for a name
  // that header().label_maps lacks.
  void read_label_map(const std::string& name, int modality, const Extent& corner,
                      const Extent& extent, std::uint8_t* out) const;

  // Voxels of a region, as flat indices into the brain box (D x H x W), ascending.
  std::span<const std::uint32_t> foreground(int region) const;

  // The file became shorter or unreadable while it was open; what was read may be zeros. Reads of
  // voxels throw DataError from then on.
  bool lost() const;

  // Reads everything and compares with the stored checksum. Throws DataError naming the data set.
  void verify() const;

 private:
  void require_there() const;
  void trim(int modality, IntensityStatistics& statistics) const;

  struct Content;
  std::unique_ptr<Content> content_;
};

}  // namespace lacuna::data
