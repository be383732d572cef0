// JSON in a place of fixed length in a message: text, then blanks. Pure functions.
#pragma once

#include <cstddef>
#include <cstring>
#include <span>
#include <string>

#include "base/error.h"
#include "base/text/parse_json.h"

namespace lacuna::worker {

// Throws Error when the text does not fit.
inline void write_fixed(const Json& json, std::span<std::byte> place) {
  const std::string text = json.dump();
  if (text.size() > place.size()) {
    throw_error<Error>("a message of {} bytes has a place of {}: {}...", text.size(), place.size(),
                       text.substr(0, 80));
  }
  std::memset(place.data(), ' ', place.size());
  std::memcpy(place.data(), text.data(), text.size());
}

inline Json read_fixed(std::span<const std::byte> place) {
  const auto* text = reinterpret_cast<const char*>(place.data());
  return parse_json({text, place.size()}, "a message of another rank");
}

}  // namespace lacuna::worker
