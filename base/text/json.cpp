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
Json parse_bounded(std::string_view text, bool comments) {
  const Json::parser_callback_t bound = [](int depth, Json::parse_event_t, Json&) {
    if (depth > kMaxJsonDepth) throw TooDeep();
    return true;
  };
  return Json::parse(text.begin(), text.end(), bound, /*allow_exceptions=*/true, comments);
}

}  // namespace

Json parse_json(std::string_view text, const std::string& where) {
  try {
    return parse_bounded(text, /*comments=*/false);
  } catch (const Json::exception& error) {
    throw_error<DataError>("{}: not valid JSON: {}", where, error.what());
  } catch (const TooDeep& error) {
    throw_error<DataError>("{}: not valid JSON: {}", where, error.what());
  }
}

Json parse_json_line(std::string_view text) {
  try {
    return parse_bounded(text, /*comments=*/false);
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
  try {
    return parse_bounded(text.str(), /*comments=*/true);
  } catch (const Json::exception& error) {
    throw_error<ConfigError>("{}: not valid JSON: {}", path.string(), error.what());
  } catch (const TooDeep& error) {
    throw_error<ConfigError>("{}: not valid JSON: {}", path.string(), error.what());
  }
}

}  // namespace lacuna
