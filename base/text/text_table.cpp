#include "base/text/text_table.h"

#include <algorithm>
#include <string_view>

namespace lacuna {
namespace {

bool begins_character(char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins_character));
}

}  // namespace

std::string printable(std::string_view text, std::size_t most, char instead) {
  std::string result;
  std::size_t characters = 0;
  for (const char c : text) {
    if (begins_character(c) && characters++ == most) break;
    const auto byte = static_cast<unsigned char>(c);
    result += byte < 0x20 || byte == 0x7F ? instead : c;
  }
  return result;
}

std::vector<std::string> TextTable::lines() const {
  std::vector<std::vector<std::string>> cells;
  const bool headed = std::any_of(columns_.begin(), columns_.end(),
                                  [](const TableColumn& column) { return !column.head.empty(); });
  if (headed) {
    cells.emplace_back();
    for (const TableColumn& column : columns_) cells.back().push_back(column.head);
  }
  cells.insert(cells.end(), rows_.begin(), rows_.end());
  std::vector<std::size_t> widths;
  for (const TableColumn& column : columns_) widths.push_back(column.least);
  for (auto& row : cells) {
    row.resize(columns_.size());
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::size_t most = columns_[i].most;
      row[i] = printable(row[i], columns_[i].cut ? most : std::string::npos);
      widths[i] = std::max(widths[i], std::min(most, width_of(row[i])));
    }
  }
  std::vector<std::string> all;
  for (const auto& row : cells) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::size_t width = width_of(row[i]);
      const std::string blanks(widths[i] - std::min(widths[i], width), ' ');
      line += (i > 0 ? "  " : "") + (columns_[i].right ? blanks + row[i] : row[i] + blanks);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    all.push_back(std::move(line));
  }
  return all;
}

std::string TextTable::text() const {
  std::string text;
  for (const std::string& line : lines()) text += line + "\n";
  return text;
}

}  // namespace lacuna
