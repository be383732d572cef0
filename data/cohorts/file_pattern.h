// Names with gaps, by which a profile says what the files of a case are called.
//
// "{id}_flair"           {id} and the names of groups are put in; a group that is empty takes the
//                        "_", "-" or "/" before it along
// "*_tumor_segmentation" "*" stands for anything within one component of a path
// "/labelsTr/{id}"       from the root of the data set instead of the directory of the case
// "{id}#2"               channel 2 of a 4-D file
// "{number:05}"          a number with five digits, for names that the phantom makes
// Endings (.nii, .nii.gz, .mha) are not written. Values and pure functions, thread-safe.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace lacuna::data {

struct FilePattern {
  std::string match;
  std::vector<std::string> exclude;  // names (last component) that do not count
  int channel = -1;                  // -1: the whole file
};

using NameParts = std::map<std::string, std::string>;

// Throws ConfigError for a gap that is not in `parts`.
std::string fill_in(std::string_view text, const NameParts& parts);
// The names in braces, without ":05".
std::vector<std::string> gaps_of(std::string_view text);

// Whether `name` is `pattern` with something for each "*". "/" is never part of that something.
bool fits(std::string_view pattern, std::string_view name);

// A name that fits: something plausible for each "*".
std::string without_stars(std::string_view pattern);

}  // namespace lacuna::data
