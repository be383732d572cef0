// The one way in for JSON from outside: files, lines, answers of other processes.
//
// What comes from outside may be damaged, or made to do damage: a depth that copying could not
// survive, a byte that is not UTF-8 and a value of the wrong type all end in an error that says
// where it was. Pure functions. A file as a whole: read_json().
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/text/json.h"

namespace lacuna {

using OrderedJson = nlohmann::ordered_json;  // keys stay in the order of the text

// Arrays and objects within one another; what this project writes has a dozen.
inline constexpr int kMaxJsonDepth = 100;

// Parses text. Throws DataError, which opens with `where`: a file, or who sent it.
Json parse_json(std::string_view text, const std::string& where);
// The same of one line of many, or of an answer that may be anything: a discarded value (which is
// neither object nor anything else) when it is not valid.
Json parse_json_line(std::string_view text);

// For files that people write and whose order counts: // comments are allowed.
OrderedJson parse_ordered_json(std::string_view text, const std::string& where);

// Calls `convert`, which takes fields out of a value that came from outside. A field that is not
// there or of another type becomes ErrorType: "WHERE: not WHAT: the library's words".
template <typename ErrorType = DataError, typename Convert>
auto convert_json(const std::string& where, const char* what, Convert&& convert)
    -> decltype(convert()) {
  try {
    return std::forward<Convert>(convert)();
  } catch (const Json::exception& error) {
    throw_error<ErrorType>("{}: not {}: {}", where, what, error.what());
  }
}

// A field of an object from outside, or `fallback` where it is not there or of another type.
template <typename T>
T field_or(const Json& object, const char* key, T fallback) {
  const auto found = object.find(key);
  if (found == object.end()) return fallback;
  try {
    return found->template get<T>();
  } catch (const Json::exception&) {
    return fallback;
  }
}

}  // namespace lacuna
