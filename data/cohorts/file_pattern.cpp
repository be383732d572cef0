#include "data/cohorts/file_pattern.h"

#include <algorithm>
#include <charconv>

#include "base/error.h"

namespace lacuna::data {
namespace {

struct Gap {
  std::size_t begin = 0, end = 0;  // "{...}" in the text
  std::string name;
  std::size_t digits = 0;
};

std::vector<Gap> find_gaps(std::string_view text) {
  std::vector<Gap> gaps;
  for (std::size_t at = 0; (at = text.find('{', at)) != std::string_view::npos;) {
    const std::size_t end = text.find('}', at);
    if (end == std::string_view::npos) {
      throw_error<ConfigError>("\"{}\": a \"{{\" without its \"}}\"", text);
    }
    Gap gap{at, end + 1, std::string(text.substr(at + 1, end - at - 1)), 0};
    if (const std::size_t colon = gap.name.find(':'); colon != std::string::npos) {
      const std::string form = gap.name.substr(colon + 1);
      const auto* last = form.data() + form.size();
      const auto [stop, error] = std::from_chars(form.data(), last, gap.digits);
      if (error != std::errc() || stop != last || gap.digits > 12) {
        throw_error<ConfigError>("\"{}\": after the colon belongs a number of digits", text);
      }
      gap.name.resize(colon);
    }
    gaps.push_back(gap);
    at = end + 1;
  }
  return gaps;
}

}  // namespace

std::vector<std::string> gaps_of(std::string_view text) {
  std::vector<std::string> names;
  for (const Gap& gap : find_gaps(text)) names.push_back(gap.name);
  return names;
}

std::string fill_in(std::string_view text, const NameParts& parts) {
  std::string result;
  std::size_t done = 0;
  for (const Gap& gap : find_gaps(text)) {
    result += text.substr(done, gap.begin - done);
    done = gap.end;
    const auto part = parts.find(gap.name);
    if (part == parts.end()) {
      throw_error<ConfigError>("\"{}\": nothing is called {{{}}}", text, gap.name);
    }
    std::string value = part->second;
    if (value.size() < gap.digits) value.insert(0, gap.digits - value.size(), '0');
    if (value.empty() && !result.empty() &&
        std::string_view("_-/").find(result.back()) != std::string_view::npos) {
      result.pop_back();
    }
    result += value;
  }
  return result + std::string(text.substr(done));
}

bool fits(std::string_view pattern, std::string_view name) {
  // Greedy with one place to come back to: the newest "*".
  std::size_t p = 0, n = 0;
  std::size_t star = std::string_view::npos, resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos && name[resume] != '/') {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::string without_stars(std::string_view pattern) {
  std::string name;
  for (const char c : pattern) {
    if (c != '*') {
      name += c;
    } else if (!name.empty() && (name.back() == '-' || name.back() == '.')) {
      name += '1';
    } else if (name.empty() || name.back() == '/') {
      name += 'x';
    }
  }
  return name;
}

}  // namespace lacuna::data
