// How a published data set names and numbers things: file suffixes, label values, the pattern of
// its case ids, where grade and institution come from. One table serves reading (scan_source) and
// writing (the phantom). To support another data set, add a row in profile.cpp.
//
// Example: find_profile("brats2018").image_file("Brats18_TCIA09_141_1", 0)
//          -> "Brats18_TCIA09_141_1_flair.nii.gz"
// Immutable; thread-safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "data/types/tissue.h"

namespace lacuna::data {

struct LabelValue {
  std::uint8_t value = 0;  // in the data set's files
  Tissue tissue = Tissue::kBackground;
};

// What is known of a case besides its voxels.
struct CaseName {
  std::string id;
  std::string institution;  // "" if unknown
  std::string grade;        // "HGG", "LGG" or ""
};

struct Profile {
  // Where institution and grade of a case are written.
  enum class Origin {
    kIdAndFolder,   // "Brats18_<institution>_..." below HGG/ or LGG/
    kNameMapping,   // name_mapping.csv beside the cases
    kPartitioning,  // partitioning_*.csv beside the cases: the institution only
  };

  std::string name;                     // "brats2018"
  std::string title;                    // "BraTS 2018"
  std::vector<std::string> modalities;  // canonical order
  std::vector<std::string> suffixes;    // per modality, between id and ".nii.gz"
  std::string segmentation_suffix;
  std::vector<LabelValue> labels;  // without background, which is 0 everywhere
  std::vector<Region> regions;
  std::string id_pattern;  // regular expression for a whole case id
  Origin origin = Origin::kNameMapping;

  std::string image_file(const std::string& id, int modality) const;
  std::string segmentation_file(const std::string& id) const;

  // nullopt for a value that this data set never writes.
  std::optional<Tissue> tissue(std::uint8_t value) const;
  std::uint8_t value(Tissue tissue) const;  // 0 for a tissue that the data set does not know

  bool matches(const std::string& id) const;
  // The institution inside an id ("Brats18_TCIA09_141_1" -> "TCIA09"), or "".
  std::string institution_in(const std::string& id) const;

  // Writing. `number` counts from 0; the id carries the institution where the data set's ids do.
  std::string make_id(int number, const std::string& institution) const;
  // Directory of a case relative to the data set: "HGG/<id>" or "<id>".
  std::filesystem::path case_directory(const CaseName& name) const;
  // Name and text of the table that goes beside the cases; nullopt where there is none.
  struct Table {
    std::string file, text;
  };
  std::optional<Table> make_table(const std::vector<CaseName>& names) const;
};

const std::vector<Profile>& all_profiles();

// Throws ConfigError listing the known names and the nearest one.
const Profile& find_profile(const std::string& name);

struct DetectedProfile {
  const Profile* profile = nullptr;
  std::string why;  // "12 of 12 case directories are named like BraTS 2021 (BraTS2021_00000)"
};

// The profile whose pattern the names of the case directories follow. Throws DataError when none
// fits or the directories follow several.
DetectedProfile detect_profile(const std::vector<std::string>& directory_names,
                               const std::string& where);

}  // namespace lacuna::data
