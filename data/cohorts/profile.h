// How a data set names and numbers things: directories of cases, file names, label values, regions,
// where patient, institution and grade come from. Profiles are data: the shipped ones lie in
// data/cohorts/profiles/, own ones are files of the same form (data/cohorts/profile_file.h). One
// profile serves reading (scan_source) and writing (the phantom).
//
// Example: find_profile("brats2018").image_file("Brats18_TCIA09_141_1", 0)
//          -> "Brats18_TCIA09_141_1_flair.nii.gz"
// Immutable; thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "data/cohorts/file_pattern.h"
#include "data/types/tissue.h"

namespace lacuna::data {

struct LabelValue {
  std::uint8_t value = 0;  // in the data set's files
  Tissue tissue = Tissue::kBackground;
};

// What is known of a case besides its voxels.
struct CaseName {
  std::string id;
  std::string institution;   // "" if unknown
  std::string grade;         // "HGG", "LGG" or ""
  std::string patient = {};  // the id where the data set does not tell
  std::string visit = {};    // "" where it does not
};

// A table beside the cases. Columns are named by how their header begins; "": none.
struct ProfileTable {
  std::string file;  // a name, with "*"
  std::string id, institution, grade;
  bool as_numbers = false;           // ids are compared by their numbers: 004 is 0004
  std::string institution_in_ids;    // regular expression for an id of an earlier year
  std::vector<std::string> missing;  // what an unknown value is written as
};

// A grid that cases of the data set lie on, in the order of the file: i, j, k.
struct ProfileGrid {
  std::array<std::int64_t, 3> shape{};
  std::string axes;  // "LPS": where i, j, k point to
  std::array<double, 3> spacing_mm{};
};

// How the phantom writes the data set; empty `path`: it cannot.
struct ProfileWriting {
  std::string path;  // of case {number}, below the directory of the data set
  std::string extension = ".nii.gz";
  std::vector<std::string> institutions;  // default: four made-up ones
  std::vector<std::string> visits;        // of each patient; default: one
  std::vector<std::string> images;        // per modality, where `images` has "*" in it
  std::string label;
  struct Text {
    std::string file, header, row;
  };
  std::optional<Text> table;  // a row per case
  std::optional<Text> text;   // a file with `header` in it
};

struct Profile {
  std::string name;     // "brats2018"
  std::string title;    // "BraTS 2018"
  std::string licence;  // one line; "" if not known
  std::vector<std::string> aliases;
  bool automatic = true;           // may be chosen for a directory
  bool generic = false;            // chosen only where no data set's own profile fits
  std::vector<std::string> hints;  // regular expressions for folders that the data set comes in

  std::string match;                // of a case directory (or image file): regular expression
  std::regex pattern;               // the same, after what may precede it
  std::vector<std::string> groups;  // names of its capture groups
  std::string id_template, patient_template;
  bool unit_is_file = false;        // cases are groups of files, not directories
  std::vector<std::string> not_in;  // directories that are not entered
  std::string dataset_file;         // a description of channels and labels beside the cases

  std::vector<std::string> modalities;           // canonical order
  std::vector<std::vector<FilePattern>> images;  // per modality, first that fits wins
  std::vector<FilePattern> label;
  std::vector<LabelValue> labels;  // without background, which is 0 everywhere
  std::vector<Region> regions;
  std::vector<ProfileGrid> grids;
  std::vector<ProfileTable> tables;
  std::string institution, grade;  // of every case
  ProfileWriting writing;

  // As the first pattern writes it, in the directory of the case.
  std::string image_file(const std::string& id, int modality) const;
  std::string segmentation_file(const std::string& id) const;

  // nullopt for a value that this data set never writes.
  std::optional<Tissue> tissue(std::uint8_t value) const;
  std::uint8_t value(Tissue tissue) const;  // 0 for a tissue that the data set does not know

  // A path relative to the data set as a case: what its groups hold, and "root" (what precedes the
  // case), "id", "patient", "visit", "institution", "grade". nullopt when it is named otherwise.
  std::optional<NameParts> parse(const std::string& path) const;
  bool matches(const std::string& path) const { return parse(path).has_value(); }

  // Writing. `number` counts from 0. Throws ConfigError when the phantom cannot write the profile.
  struct MadeCase {
    CaseName name;
    std::string path;                 // of the case directory or first file, without ending
    std::vector<std::string> images;  // per modality, below the data set, with ending
    std::string label;
  };
  MadeCase make_case(int number, const std::string& institution, const std::string& grade) const;
  std::string make_id(int number, const std::string& institution) const;
  // Directory of a case relative to the data set: "HGG/<id>" or "<id>".
  std::filesystem::path case_directory(const CaseName& name) const;
  // Name and text of the table that goes beside the cases; nullopt where there is none.
  struct Table {
    std::string file, text;
  };
  std::optional<Table> make_table(const std::vector<CaseName>& names) const;
};

// The shipped ones, by name.
const std::vector<Profile>& all_profiles();

// A shipped profile by name or alias, or the file that a name with "/" or ".json" in it means (read
// once). Throws ConfigError listing the known names and the nearest one, or what is wrong in the
// file.
const Profile& find_profile(const std::string& name);

}  // namespace lacuna::data
