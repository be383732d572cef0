// The files of data/cohorts/profiles/, which the build puts into the program. Their form is that of
// --profile FILE.json (data/cohorts/profile_file.h).
#pragma once

#include <span>
#include <string_view>

namespace lacuna::data {

std::span<const std::string_view> shipped_profiles();

}  // namespace lacuna::data
