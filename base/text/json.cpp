#include "base/text/json.h"

#include <fstream>
#include <sstream>

#include "base/error.h"

namespace lacuna {

Json read_json(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) throw_error<ConfigError>("{}: cannot be opened. Check the path.", path.string());
  std::ostringstream text;
  text << file.rdbuf();
  try {
    return Json::parse(text.str(), nullptr, true, /*ignore_comments=*/true);
  } catch (const Json::parse_error& error) {
    throw_error<ConfigError>("{}: not valid JSON: {}", path.string(), error.what());
  }
}

}  // namespace lacuna
