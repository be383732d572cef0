// Tables that other people wrote (base/files/table.h reads them), by the names of their columns.
// Values; thread-safe.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace lacuna::data {

using TableRow = std::vector<std::string>;  // cells, UTF-8

struct ForeignTable {
  TableRow header;  // the first row, which may as well hold values
  std::vector<TableRow> rows;

  // -1: no column is called so. Names are compared in lower case by letters and digits; a column
  // whose name goes on after `name` ("Site No (represents ...)") is taken when none is equal.
  int column(std::string_view name) const;
};

// Throws DataError: cannot be read, or a spreadsheet (.xlsx), which is to be saved as CSV.
ForeignTable read_foreign_table(const std::filesystem::path& path);
ForeignTable parse_foreign_table(std::string_view bytes);

// Whether `text` is UTF-8.
bool is_utf8(std::string_view text);
// `text` itself when it is UTF-8, else read as Latin-1.
std::string to_utf8(std::string_view text);

// Lower case, ASCII letters and digits only: "Partition_ID" -> "partitionid".
std::string plain_name(std::string_view text);

}  // namespace lacuna::data
