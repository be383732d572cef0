#include "data/types/modality.h"

#include <algorithm>
#include <bit>
#include <cctype>
#include <utility>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/text/options.h"

namespace lacuna::data {
namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

}  // namespace

ModalitySet::ModalitySet(std::vector<std::string> names) : names_(std::move(names)) {
  if (names_.empty() || names_.size() > 31) {
    throw_error<ConfigError>("a cohort needs 1 to 31 modalities, found {}", names_.size());
  }
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (names_[i].empty() || std::find(names_.begin(), names_.begin() + static_cast<long>(i),
                                       names_[i]) != names_.begin() + static_cast<long>(i)) {
      throw_error<ConfigError>("modality names must differ and not be empty: {}",
                               fmt::join(names_, ", "));
    }
  }
}

int ModalitySet::index(const std::string& name) const {
  for (int m = 0; m < size(); ++m) {
    if (lower(names_[static_cast<std::size_t>(m)]) == lower(name)) return m;
  }
  const std::string near = nearest(name, names_);
  throw_error<ConfigError>("unknown modality \"{}\"; known: {}{}", name, fmt::join(names_, ", "),
                           near.empty() ? "" : fmt::format(". Did you mean {}?", near));
}

SubsetMask ModalitySet::parse(const std::string& text) const {
  if (lower(text) == "all") return full();
  SubsetMask subset = 0;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find('+', begin), text.size());
    subset |= SubsetMask{1} << index(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return subset;
}

std::string ModalitySet::format(SubsetMask subset) const {
  std::vector<std::string> present;
  for (int m = 0; m < size(); ++m) {
    if (contains(subset, m)) present.push_back(names_[static_cast<std::size_t>(m)]);
  }
  return present.empty() ? "none" : fmt::format("{}", fmt::join(present, "+"));
}

std::vector<SubsetMask> ModalitySet::subsets() const {
  std::vector<SubsetMask> all;
  for (SubsetMask subset = 1; subset <= full(); ++subset) all.push_back(subset);
  // Lexicographic by modality index: of two subsets of one size, the one that has the first
  // modality in which they differ comes first.
  std::sort(all.begin(), all.end(), [](SubsetMask a, SubsetMask b) {
    if (count(a) != count(b)) return count(a) < count(b);
    const SubsetMask differing = a ^ b;
    return a != b && (a & (differing & (~differing + 1))) != 0;
  });
  return all;
}

int count(SubsetMask subset) { return std::popcount(subset); }

}  // namespace lacuna::data
