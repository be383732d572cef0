#include "slurm/quote.h"

#include <algorithm>

#include "base/error.h"

namespace lacuna::slurm {
namespace {

bool is_plain(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("/._-=,:@+%").find(c) != std::string_view::npos;
  });
}

}  // namespace

std::string bash_quoted(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\0') throw_error<ConfigError>("a NUL byte in '{}'", text.c_str());
    // A single quote cannot stand within single quotes: close, \', open.
    quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  }
  return quoted + "'";
}

std::string bash_quoted(const std::string& text,
                        const std::map<std::string, std::string>& variables) {
  std::string quoted;
  std::size_t begin = 0;
  const auto literal = [&](std::size_t end) {
    if (end > begin) quoted += bash_quoted(text.substr(begin, end - begin));
  };
  for (std::size_t i = 0; i < text.size();) {
    std::size_t length = 0;
    for (const auto& [name, variable] : variables) {
      if (text.compare(i, name.size() + 2, "{" + name + "}") != 0) continue;
      literal(i);
      quoted += "\"$" + variable + "\"";
      length = name.size() + 2;
      begin = i + length;
    }
    i += std::max<std::size_t>(length, 1);
  }
  literal(text.size());
  return quoted.empty() ? "''" : quoted;
}

std::string bash_line(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) {
    line += (line.empty() ? "" : " ") + (is_plain(word) ? word : bash_quoted(word));
  }
  return line;
}

}  // namespace lacuna::slurm
