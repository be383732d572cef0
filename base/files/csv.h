// Comma-separated tables with a header row and RFC 4180 quoting, read by column name.
//
// Immutable after reading, thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/files/file_system.h"

namespace lacuna::monitoring {

class Csv {
 public:
  // Throws DataError: unreadable, no header, or a row of another width (with file and line).
  static Csv read(const Path& path);
  static Csv parse(std::string_view text, const std::string& where);

  std::size_t rows() const { return rows_.size(); }
  // Throws DataError naming the columns that are there.
  const std::string& text(std::size_t row, const std::string& column) const;
  // NaN for an empty field and for "nan"; throws DataError for anything else that is no number.
  double number(std::size_t row, const std::string& column) const;

 private:
  std::size_t index(const std::string& column) const;

  std::string where_;
  std::vector<std::string> header_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace lacuna::monitoring
