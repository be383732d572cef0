// A cohort: the cases of one cache directory, as its cohort.json describes them.
//
// File format: docs/file-formats.md. Immutable after open(); thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/files/file_system.h"
#include "base/text/json.h"
#include "data/types/extent.h"
#include "data/types/modality.h"
#include "data/types/tissue.h"

namespace lacuna::data {

// What the normalisations need to know of one modality, over its whole volume.
struct IntensityStatistics {
  double minimum = 0, maximum = 0;
  double background = 0;           // value of voxel (0,0,0)
  double mean = 0, deviation = 1;  // over voxels != background, population
  double cap = 0;                  // highest histogram bin with >= 50 voxels
  double capped_mean = 0, capped_deviation = 1;  // the same after clipping at `cap`
  double percentile_1 = 0, percentile_99 = 0;    // of the voxels > 0
  // Mean and deviation of the voxels != background strictly between the two percentiles.
  double trimmed_mean = 0, trimmed_deviation = 1;
  double median = 0;  // of the voxels != background
  // The upper edge of the bin whose index is `cap`, and mean and deviation after clipping there.
  double cap_edge = 0, edge_mean = 0, edge_deviation = 1;
};

struct CaseInfo {
  std::string id;
  std::string patient;       // as the data set tells it; the id where it does not
  std::string visit;         // which scan of the patient; "" if not told
  std::string institution;   // "" if unknown
  std::string grade;         // "HGG", "LGG" or ""
  std::string file;          // relative to the cache: "cases/<id>.h5"
  SubsetMask available = 0;  // modalities that the case really has
  Extent full_extent{};      // of the volume on disk
  Extent box_offset{};       // corner of the brain box inside it
  Extent box_extent{};
  std::array<double, 3> spacing_mm{};             // D, H, W
  std::array<std::array<double, 4>, 4> affine{};  // NIfTI voxel (i,j,k) -> world mm
  bool has_label = false;
  std::vector<std::string> label_maps;  // names of those beside the label
  std::uint64_t bytes = 0;              // of the file
  std::string checksum;  // of the file's header, which holds the checksums of its data sets
};

// What all volumes of a cohort have in common: the directions of i, j, k ("LPS") and the voxel size
// along D, H, W, from which a case may differ by kSpacingTolerance of it.
struct Grid {
  std::string orientation;
  std::array<double, 3> spacing_mm{};
  bool operator==(const Grid&) const = default;
};
inline constexpr double kSpacingTolerance = 0.05;

Json to_json(const Grid& grid);
Grid grid_from_json(const Json& json);  // throws Json::exception

// A case that ingest did not take, and why.
struct RefusedCase {
  std::string id, reason;
};

// Split name ("fold0", "all", ...) -> part ("train", "validation", "test", "meta") -> case ids.
using Splits = std::map<std::string, std::map<std::string, std::vector<std::string>>>;

// How the generated splits were dealt; they stay as they are when the cohort grows.
struct Deal {
  int folds = 0;  // asked for; 0: not known (format version 1)
  std::uint64_t seed = 0;
};

struct Cohort {
  std::filesystem::path directory;
  std::string profile;
  ModalitySet modalities{{"FLAIR", "T1", "T1c", "T2"}};
  std::vector<Region> regions;
  std::vector<CaseInfo> cases;  // sorted by id
  Splits splits;
  // Cases that the splits gave a part to and that are not in the cohort at present: a case that
  // comes back gets its old part.
  Splits departed;
  std::set<std::string>
      listed;  // splits that came from lists of the user: nothing is added to them
  // Of a split with fixed missing modalities: case -> what the split lets training see of it.
  std::map<std::string, std::map<std::string, SubsetMask>> split_available;
  Deal deal;
  int version = 0;          // of the file that was read; 0: made by this process
  std::string fingerprint;  // XXH3 over cases, statistics and source checksums
  std::vector<RefusedCase> refused;
  std::optional<Grid> grid;  // none in caches of before

  int index_of(const std::string& id) const;                               // -1 for an unknown case
  bool has_part(const std::string& split, const std::string& part) const;  // with a case in it
  // Indices into `cases`. Throws ConfigError naming known splits, parts, or the unknown case.
  std::vector<int> part(const std::string& split, const std::string& part) const;
};

// Throws DataError: no cohort.json, another format version, damaged, or a split naming a case that
// is not there. Format version 1 knows no patients: each case counts as one of its own.
Cohort open_cohort(const std::filesystem::path& directory);

// Computes the fingerprint and writes cohort.json durably into cohort.directory; does nothing when
// the file already says the same. Returns whether it wrote.
bool write_cohort(FileSystem& files, Cohort& cohort);

}  // namespace lacuna::data
