#include "data/cohorts/foreign_table.h"

#include <algorithm>
#include <cctype>
#include <cstdint>

#include "base/files/table.h"

namespace lacuna::data {
namespace {

void append_utf8(std::string& text, std::uint32_t code) {
  const auto put = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

}  // namespace

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead < 0x80                    ? 1
                               : lead >= 0xC2 && lead < 0xE0  ? 2
                               : lead >= 0xE0 && lead < 0xF0  ? 3
                               : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                              : 0;
    if (length == 0 || i + length > text.size()) return false;
    for (std::size_t k = 1; k < length; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xC0) != 0x80) return false;
    }
    const auto second = length > 1 ? static_cast<unsigned char>(text[i + 1]) : 0;
    // Longer than need be, surrogates, and past the last code point.
    if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
        (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F)) {
      return false;
    }
    i += length;
  }
  return true;
}

std::string to_utf8(std::string_view text) {
  if (is_utf8(text)) return std::string(text);
  std::string result;
  for (const char c : text) append_utf8(result, static_cast<unsigned char>(c));
  return result;
}

std::string plain_name(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80 && std::isalnum(byte)) result += static_cast<char>(std::tolower(byte));
  }
  return result;
}

int ForeignTable::column(std::string_view name) const {
  const std::string wanted = plain_name(name);
  if (wanted.empty()) return -1;
  int longer = -1;
  for (std::size_t c = 0; c < header.size(); ++c) {
    const std::string there = plain_name(header[c]);
    if (there == wanted) return static_cast<int>(c);
    if (longer < 0 && there.starts_with(wanted)) longer = static_cast<int>(c);
  }
  return longer;
}

namespace {

ForeignTable with_header(lacuna::Table table) {
  ForeignTable result;
  if (table.rows.empty()) return result;
  result.header = table.rows.front();
  result.rows.assign(table.rows.begin() + 1, table.rows.end());
  return result;
}

}  // namespace

ForeignTable parse_foreign_table(std::string_view bytes) {
  return with_header(parse_table(bytes, "table"));
}

ForeignTable read_foreign_table(const std::filesystem::path& path) {
  return with_header(read_table(path));
}

}  // namespace lacuna::data
