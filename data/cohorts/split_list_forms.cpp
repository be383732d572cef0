#include "data/cohorts/split_list_forms.h"

#include <regex>

#include <fmt/ranges.h>

#include "base/error.h"

namespace lacuna::data {

const std::vector<std::string> kTrainingMaskOrder = {"FLAIR", "T1c", "T1", "T2"};

bool is_mask_list(const ForeignTable& table) {
  return table.header.size() == 4 && plain_name(table.header[0]) == "dataname" &&
         plain_name(table.header[2]) == "mask";
}

bool is_case_mask_list(const ForeignTable& table) {
  return table.header.size() == 2 && plain_name(table.header[0]) == "case" &&
         plain_name(table.header[1]) == "mask";
}

std::string part_of_word(const std::string& word) {
  const std::string name = plain_name(word);
  if (name == "train" || name == "training") return "train";
  if (name == "val" || name == "valid" || name == "validation") return "validation";
  if (name == "test" || name == "testing" || name == "inference") return "test";
  return name == "meta" ? "meta" : "";
}

bool is_part(const std::string& name) { return !name.empty() && part_of_word(name) == name; }

std::string part_in_name(const std::string& stem, std::string* number) {
  static const std::regex kName(
      "(?:.*[_-])?(train|training|val|valid|validation|test|testing)(\\d*)(?:splits)?(?:_list)?",
      std::regex::icase);
  std::smatch match;
  if (!std::regex_match(stem, match, kName)) return "";
  const bool fifteen = stem.ends_with("splits");  // "val15splits": 15 subsets, no number
  if (number != nullptr) *number = fifteen ? "" : match[2].str();
  return part_of_word(match[1].str());
}

std::string split_name_of(const std::string& stem) {
  static const std::regex kNumber("dataset_split_?(\\d+)");
  std::smatch match;
  return std::regex_match(stem, match, kNumber) ? "split" + match[1].str() : stem;
}

SubsetMask read_mask(const std::string& text, const std::vector<std::string>& order,
                     const ModalitySet& modalities, const std::string& where) {
  static const std::regex kWord("True|False|true|false|\\b[01]\\b");
  std::vector<bool> values;
  for (std::sregex_iterator it(text.begin(), text.end(), kWord), end; it != end; ++it) {
    const std::string word = it->str();
    values.push_back(word == "True" || word == "true" || word == "1");
  }
  if (values.size() != order.size()) {
    throw_error<ConfigError>("{}: the mask {} has {} values, the order {} has {}.", where, text,
                             values.size(), fmt::join(order, ","), order.size());
  }
  SubsetMask mask = 0;
  for (std::size_t m = 0; m < order.size(); ++m) {
    if (values[m]) mask |= SubsetMask{1} << modalities.index(order[m]);
  }
  if (mask == 0) throw_error<ConfigError>("{}: the mask {} leaves no modality.", where, text);
  return mask;
}

}  // namespace lacuna::data
