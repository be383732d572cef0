#include "base/files/csv.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <limits>
#include <sstream>
#include <utility>

#include <fmt/ranges.h>

#include "base/error.h"

namespace lacuna::monitoring {
namespace {

// Takes one record off the front of `text`; quoted fields may hold commas, quotes and line ends.
std::vector<std::string> take_record(std::string_view& text) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  std::size_t i = 0;
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '"' && i + 1 < text.size() && text[i + 1] == '"') {
      fields.back() += text[++i];
    } else if (c == '"') {
      quoted = !quoted;
    } else if (!quoted && c == ',') {
      fields.emplace_back();
    } else if (!quoted && c == '\n') {
      break;
    } else if (quoted || c != '\r') {
      fields.back() += c;
    }
  }
  text.remove_prefix(std::min(text.size(), i + 1));
  return fields;
}

}  // namespace

Csv Csv::read(const Path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream content;
  if (!(file && content << file.rdbuf())) {
    throw_error<DataError>("{}: cannot read the table. Run the evaluation again.", path.string());
  }
  return parse(content.str(), path.string());
}

Csv Csv::parse(std::string_view text, const std::string& where) {
  Csv csv;
  csv.where_ = where;
  if (text.empty()) throw_error<DataError>("{}: empty. Run the evaluation again.", where);
  csv.header_ = take_record(text);
  while (!text.empty()) {
    std::vector<std::string> row = take_record(text);
    if (row.size() == 1 && row[0].empty()) continue;
    if (row.size() != csv.header_.size()) {
      throw_error<DataError>(
          "{}: row {} has {} fields, the header has {}. Run the evaluation again.", where,
          csv.rows_.size() + 1, row.size(), csv.header_.size());
    }
    csv.rows_.push_back(std::move(row));
  }
  return csv;
}

std::size_t Csv::index(const std::string& column) const {
  const auto found = std::find(header_.begin(), header_.end(), column);
  if (found == header_.end()) {
    throw_error<DataError>("{}: no column {}; there are {}. Run the evaluation again.", where_,
                           column, fmt::join(header_, ", "));
  }
  return static_cast<std::size_t>(found - header_.begin());
}

const std::string& Csv::text(std::size_t row, const std::string& column) const {
  return rows_.at(row)[index(column)];
}

double Csv::number(std::size_t row, const std::string& column) const {
  const std::string& field = text(row, column);
  if (field.empty() || field == "nan") return std::numeric_limits<double>::quiet_NaN();
  double value = 0;
  const auto [end, failure] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (failure != std::errc() || end != field.data() + field.size()) {
    throw_error<DataError>("{}: row {}, column {}: \"{}\" is no number. Run the evaluation again.",
                           where_, row + 1, column, field);
  }
  return value;
}

}  // namespace lacuna::monitoring
