#include "base/text/json.h"

#include <fstream>
#include <sstream>

#include "base/text/parse_json.h"

namespace lacuna {
namespace {

struct TooDeep : std::runtime_error {
  TooDeep()
      : std::runtime_error(
            fmt::format("it is nested deeper than {} levels, which no file of this program is",
                        kMaxJsonDepth)) {}
};

// The parser itself needs no stack, but copying and printing what it made do.
template <typename AnyJson>
AnyJson parse_bounded(std::string_view text, bool comments) {
  const typename AnyJson::parser_callback_t bound = [](int depth, auto, AnyJson&) {
    if (depth > kMaxJsonDepth) throw TooDeep();
    return true;
  };
  return AnyJson::parse(text.begin(), text.end(), bound, /*allow_exceptions=*/true, comments);
}

// With the errors of the parser as errors for people.
template <typename AnyJson, typename ErrorType>
AnyJson parse_named(std::string_view text, const std::string& where, bool comments) {
  try {
    return parse_bounded<AnyJson>(text, comments);
  } catch (const typename AnyJson::exception& error) {
    throw_error<ErrorType>("{}: not valid JSON: {}", where, error.what());
  } catch (const TooDeep& error) {
    throw_error<ErrorType>("{}: not valid JSON: {}", where, error.what());
  }
}

}  // namespace

Json parse_json(std::string_view text, const std::string& where) {
  return parse_named<Json, DataError>(text, where, /*comments=*/false);
}

OrderedJson parse_ordered_json(std::string_view text, const std::string& where) {
  return parse_named<OrderedJson, ConfigError>(text, where, /*comments=*/true);
}

Json parse_json_line(std::string_view text) {
  try {
    return parse_bounded<Json>(text, /*comments=*/false);
  } catch (const std::exception&) {
    return Json(Json::value_t::discarded);
  }
}

Json read_json(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  std::error_code ignored;
  if (!file || std::filesystem::is_directory(path, ignored)) {
    throw_error<ConfigError>("{}: cannot be opened. Check the path.", path.string());
  }
  text << file.rdbuf();
  if (file.bad()) throw_error<ConfigError>("{}: cannot be read.", path.string());
  return parse_named<Json, ConfigError>(text.str(), path.string(), /*comments=*/true);
}

}  // namespace lacuna
