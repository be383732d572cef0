// Tables for a terminal: columns as wide as their longest cell, two blanks between them.
//
// Widths count characters of UTF-8. Values and pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lacuna {

// Of at most `most` characters, and with another one for control characters: what a name or a
// reason from outside holds must not steer the terminal.
std::string printable(std::string_view text, std::size_t most = std::string::npos,
                      char instead = ' ');

struct TableColumn {
  std::string head;
  bool right = false;                    // numbers stand at the right
  std::size_t least = 0;                 // characters; also where no cell has so many
  std::size_t most = std::string::npos;  // and no wider than this
  bool cut = true;  // longer cells; else they push the rest of their line to the right
};

class TextTable {
 public:
  // The heads are the first line, unless all are empty.
  explicit TextTable(std::vector<TableColumn> columns) : columns_(std::move(columns)) {}

  // One cell per column; the missing ones are empty. They are made printable.
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

  // Without blanks at their ends.
  std::vector<std::string> lines() const;
  // The same with line breaks.
  std::string text() const;

 private:
  std::vector<TableColumn> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace lacuna
