// A profile as a file: JSON of format "lacuna-profile", version 1. docs/profiles.md describes each
// key. A file that contradicts itself is refused with one message that names file, key and remedy.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "data/cohorts/profile.h"

namespace lacuna::data {

// The text of another profile by name, for "extends"; "" for an unknown one.
using ProfileTexts = std::function<std::string(const std::string& name)>;

// `where` opens each message. Throws ConfigError.
Profile parse_profile(std::string_view text, const std::string& where, const ProfileTexts& texts);

// An own profile; it may extend a shipped one but not take its name. Throws ConfigError.
Profile read_profile(const std::filesystem::path& path);

// The value of "name", without a check of anything else.
std::string profile_name_in(std::string_view text);

// The file of a shipped profile, or of a path, as it is.
std::string profile_text(const std::string& name);

}  // namespace lacuna::data
