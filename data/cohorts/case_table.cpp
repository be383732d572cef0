#include "data/cohorts/case_table.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <regex>
#include <set>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/text/log.h"
#include "data/cohorts/foreign_table.h"

namespace lacuna::data {
namespace {

// What columns of institutions are called where the profile does not say.
constexpr const char* kInstitutionColumns[] = {"partition id", "institution name", "institution",
                                               "site no",      "site id",          "site",
                                               "center",       "centre",           "hospital"};

using Known = std::map<std::string, std::vector<CaseName*>>;  // as the table writes ids

// "UCSF-PDGM-004" and "UCSF-PDGM-0004" are one.
std::string without_leading_zeros(const std::string& id) {
  std::string text;
  for (std::size_t i = 0; i < id.size(); ++i) {
    const bool digit = std::isdigit(static_cast<unsigned char>(id[i])) != 0;
    const bool first = i == 0 || !std::isdigit(static_cast<unsigned char>(id[i - 1]));
    const bool more = i + 1 < id.size() && std::isdigit(static_cast<unsigned char>(id[i + 1]));
    if (digit && id[i] == '0' && (first || (!text.empty() && text.back() == '\1')) && more) {
      if (first) text += '\1';
      continue;
    }
    text += id[i];
  }
  std::erase(text, '\1');
  return text;
}

class Table {
 public:
  Table(const std::filesystem::path& path, const Profile& profile,
        const std::vector<CaseName*>& cases)
      : path_(path), table_(read_foreign_table(path)) {
    for (const ProfileTable& one : profile.tables) {
      if (!fits(one.file, path.filename().string())) continue;
      spec_ = one;
      meant_ = one.file != "*.csv" && one.file != "*";
      break;
    }
    for (const ProfileTable& one : profile.tables) {  // old ids count in any table
      if (spec_.institution_in_ids.empty()) spec_.institution_in_ids = one.institution_in_ids;
    }
    for (CaseName* name : cases) {
      add(name->id, name);
      if (name->patient != name->id) add(name->patient, name);
    }
    id_column_ = find_ids();
    if (!spec_.institution.empty()) site_column_ = table_.column(spec_.institution);
    for (const char* words : kInstitutionColumns) {
      if (site_column_ < 0) site_column_ = table_.column(words);
    }
    if (site_column_ == id_column_) site_column_ = -1;
    grade_column_ = table_.column(spec_.grade.empty() ? "grade" : spec_.grade);
  }

  // Whether it says where cases come from.
  bool has_institutions() const {
    if (id_column_ < 0 || site_column_ < 0) return false;
    return std::any_of(table_.rows.begin(), table_.rows.end(), [&](const TableRow& row) {
      return !value(row, site_column_).empty() && !of(row).empty();
    });
  }

  void apply(bool institutions, bool old_ids) const {
    if (id_column_ < 0) {
      if (meant_) {
        log::warn(
            "{}: none of its columns holds ids of these cases; it has: {}. Institutions are "
            "not known from it.",
            path_.string(), fmt::join(table_.header, ", "));
      }
      return;
    }
    std::set<const CaseName*> named;
    for (const TableRow& row : table_.rows) {
      for (CaseName* name : of(row)) {
        named.insert(name);
        if (name->grade.empty()) name->grade = value(row, grade_column_);
        if (institutions) name->institution = value(row, site_column_);
        if (old_ids && name->institution.empty()) name->institution = institution_in(row);
      }
    }
    log::info("{}: describes {} of {} cases{}", path_.string(), named.size(), cases_,
              institutions ? fmt::format(", institutions from its column \"{}\"",
                                         table_.header[static_cast<std::size_t>(site_column_)])
                           : "");
  }

 private:
  void add(const std::string& id, CaseName* name) {
    auto& names = known_[form(id)];
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    all_.insert(name);
    cases_ = all_.size();
  }

  std::string form(const std::string& id) const {
    return spec_.as_numbers ? without_leading_zeros(id) : id;
  }

  // The column that the profile names, when it holds ids; else the one that holds most.
  int find_ids() const {
    std::vector<int> hits(table_.header.size());
    for (const TableRow& row : table_.rows) {
      for (std::size_t c = 0; c < std::min(row.size(), hits.size()); ++c) {
        hits[c] += known_.count(form(row[c])) > 0;
      }
    }
    const int named = spec_.id.empty() ? -1 : table_.column(spec_.id);
    if (named >= 0 && hits[static_cast<std::size_t>(named)] > 0) return named;
    const auto best = std::max_element(hits.begin(), hits.end());
    return best == hits.end() || *best == 0 ? -1 : static_cast<int>(best - hits.begin());
  }

  std::vector<CaseName*> of(const TableRow& row) const {
    const auto column = static_cast<std::size_t>(id_column_);
    if (column >= row.size()) return {};
    const auto found = known_.find(form(row[column]));
    return found == known_.end() ? std::vector<CaseName*>() : found->second;
  }

  std::string value(const TableRow& row, int column) const {
    if (column < 0 || static_cast<std::size_t>(column) >= row.size()) return "";
    const std::string& text = row[static_cast<std::size_t>(column)];
    for (const char* nothing : {"NA", "N/A", "nan", "NaN", "n/a", "-1", "unknown"}) {
      if (text == nothing) return "";
    }
    const auto& missing = spec_.missing;
    return std::find(missing.begin(), missing.end(), text) != missing.end() ? "" : text;
  }

  // From the id of the newest earlier year, which stands furthest to the right.
  std::string institution_in(const TableRow& row) const {
    if (spec_.institution_in_ids.empty()) return "";
    const std::regex id(spec_.institution_in_ids);
    for (auto cell = row.rbegin(); cell != row.rend(); ++cell) {
      std::smatch match;
      if (std::regex_match(*cell, match, id)) return match[1].str();
    }
    return "";
  }

  std::filesystem::path path_;
  ForeignTable table_;
  ProfileTable spec_;
  bool meant_ = false;  // the profile expects a table of this name
  Known known_;
  std::set<const CaseName*> all_;
  std::size_t cases_ = 0;
  int id_column_ = -1, site_column_ = -1, grade_column_ = -1;
};

}  // namespace

void apply_case_tables(const std::vector<std::filesystem::path>& paths, const Profile& profile,
                       std::vector<CaseName*>& cases) {
  std::vector<Table> tables;
  for (const auto& path : paths) {
    try {
      tables.emplace_back(path, profile, cases);
    } catch (const DataError& error) {
      log::warn("{} It is passed over.", error.what());
    }
  }
  bool decided = false;
  const bool any = std::any_of(tables.begin(), tables.end(),
                               [](const Table& table) { return table.has_institutions(); });
  for (const Table& table : tables) {
    const bool decides = !decided && table.has_institutions();
    table.apply(decides, /*old_ids=*/!any);
    decided = decided || decides;
  }
}

}  // namespace lacuna::data
