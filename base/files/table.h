// Tables as spreadsheets of any country write them: comma, semicolon or tab between fields, UTF-8
// with or without a byte order mark, UTF-16, or the Western code page of old Windows programs;
// lines that end as on any system; RFC 4180 quoting.
//
// Fields come out in UTF-8, without blanks around them unless they were quoted. Rows may differ in
// length; empty ones are left out. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/files/file_system.h"

namespace lacuna {

struct Table {
  std::vector<std::vector<std::string>> rows;
  char separator = ',';
};

// Throw DataError, which opens with `where` or the path: unreadable, a workbook instead of a table,
// or a quote that is never closed.
Table read_table(const Path& path);
Table parse_table(std::string_view bytes, const std::string& where);

// A field as it is written: between quotes where it holds a comma, a quote or the end of a line.
std::string csv_field(const std::string& text);

}  // namespace lacuna
