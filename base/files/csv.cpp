#include "base/files/csv.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include <fmt/ranges.h>

#include "base/error.h"

namespace lacuna {

Csv Csv::read(const Path& path) { return Csv(read_table(path), path.string()); }

Csv Csv::parse(std::string_view text, const std::string& where) {
  return Csv(parse_table(text, where), where);
}

Csv::Csv(Table table, std::string where)
    : where_(std::move(where)), decimal_comma_(table.separator != ',') {
  if (table.rows.empty()) throw_error<DataError>("{}: empty. Run the evaluation again.", where_);
  header_ = std::move(table.rows.front());
  for (std::size_t i = 1; i < table.rows.size(); ++i) {
    if (table.rows[i].size() != header_.size()) {
      throw_error<DataError>(
          "{}: row {} has {} fields, the header has {}. Run the evaluation again.", where_, i,
          table.rows[i].size(), header_.size());
    }
    rows_.push_back(std::move(table.rows[i]));
  }
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
  std::string field = text(row, column);
  // Where a semicolon parts the fields, a comma may be the decimal point.
  if (decimal_comma_) std::replace(field.begin(), field.end(), ',', '.');
  if (field.empty() || field == "nan") return std::numeric_limits<double>::quiet_NaN();
  double value = 0;
  const auto [end, failure] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (failure != std::errc() || end != field.data() + field.size()) {
    throw_error<DataError>("{}: row {}, column {}: \"{}\" is no number. Run the evaluation again.",
                           where_, row + 1, column, field);
  }
  return value;
}

}  // namespace lacuna
