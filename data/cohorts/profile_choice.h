// Which profile a directory follows: by the names of its cases, then by the values in its labels,
// then by the folders that organisers ship it in. Where that leaves profiles that read the same
// file differently, nobody guesses: the candidates are named.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/cohorts/source.h"

namespace lacuna::data {

struct ProfileChoice {
  const Profile* profile = nullptr;
  std::string why;  // "12 of 12 case directories are named like BraTS 2021 (BraTS2021_00000)"
  std::vector<SourceCase> cases;
};

// Throws DataError when no profile fits, when cases follow several, or when names and values leave
// a choice that matters. `preferred` as in scan_source().
ProfileChoice choose_profile(const SourceTree& tree, const std::filesystem::path& where,
                             const std::string& preferred);

// Shipped profiles that can hold all of `values` and name cases like `id`, other than `profile`:
// whose labels these may be.
std::vector<std::string> profiles_with_values(const Profile& profile, const std::string& id,
                                              const std::vector<int>& values);

}  // namespace lacuna::data
