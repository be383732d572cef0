#include "data/cohorts/case_table.h"

#include <algorithm>
#include <cctype>
#include <map>

#include "base/files/table.h"

namespace lacuna::data {
namespace {

using Row = std::vector<std::string>;

// Lower case, letters and digits only: "Partition_ID" -> "partitionid".
std::string plain(const std::string& text) {
  std::string result;
  for (const unsigned char c : text) {
    if (std::isalnum(c)) result += static_cast<char>(std::tolower(c));
  }
  return result;
}

int find_column(const Row& header, const std::vector<std::string>& names) {
  for (std::size_t c = 0; c < header.size(); ++c) {
    if (std::find(names.begin(), names.end(), plain(header[c])) != names.end()) {
      return static_cast<int>(c);
    }
  }
  return -1;
}

std::string cell(const Row& row, int column) {
  if (column < 0 || static_cast<std::size_t>(column) >= row.size()) return "";
  const std::string& text = row[static_cast<std::size_t>(column)];
  return text == "NA" || text == "nan" ? "" : text;
}

}  // namespace

int apply_case_table(const std::filesystem::path& table, const Profile& profile,
                     std::vector<CaseName*>& cases) {
  const std::vector<Row> rows = read_table(table).rows;
  if (rows.size() < 2) return 0;
  std::map<std::string, CaseName*> known;
  for (CaseName* name : cases) known[name->id] = name;
  std::vector<int> hits(rows[0].size());
  for (const Row& row : rows) {
    for (std::size_t c = 0; c < std::min(row.size(), hits.size()); ++c) {
      hits[c] += known.count(row[c]) > 0;
    }
  }
  const auto best = std::max_element(hits.begin(), hits.end());
  if (*best == 0) return 0;
  const int id_column = static_cast<int>(best - hits.begin());
  const int site_column = find_column(
      rows[0], {"partitionid", "institutionname", "institution", "site", "siteno", "center"});
  const int grade_column = find_column(rows[0], {"grade"});
  for (const Row& row : rows) {
    const auto found = known.find(cell(row, id_column));
    if (found == known.end()) continue;
    CaseName& name = *found->second;
    if (name.grade.empty()) name.grade = cell(row, grade_column);
    if (name.institution.empty()) name.institution = cell(row, site_column);
    // BraTS 2020 names the institution inside the id that the case had the year before.
    for (const std::string& other : row) {
      if (name.institution.empty()) name.institution = profile.institution_in(other);
    }
  }
  return *best;
}

}  // namespace lacuna::data
