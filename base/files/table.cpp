#include "base/files/table.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "base/error.h"
#include "base/text/log.h"
#include "base/text/utf8.h"

namespace lacuna {
namespace {

using namespace std::string_view_literals;

void append_utf8(std::string& text, std::uint32_t point) {
  if (point < 0x80) {
    text += static_cast<char>(point);
  } else if (point < 0x800) {
    text += static_cast<char>(0xC0 | point >> 6);
    text += static_cast<char>(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    text += static_cast<char>(0xE0 | point >> 12);
    text += static_cast<char>(0x80 | (point >> 6 & 0x3F));
    text += static_cast<char>(0x80 | (point & 0x3F));
  } else {
    text += static_cast<char>(0xF0 | point >> 18);
    text += static_cast<char>(0x80 | (point >> 12 & 0x3F));
    text += static_cast<char>(0x80 | (point >> 6 & 0x3F));
    text += static_cast<char>(0x80 | (point & 0x3F));
  }
}

// high: the place of the more significant byte of each pair.
std::string from_utf16(std::string_view bytes, std::size_t high) {
  const auto unit = [&](std::size_t at) {
    const auto upper = static_cast<unsigned char>(bytes[at + high]);
    const auto lower = static_cast<unsigned char>(bytes[at + 1 - high]);
    return static_cast<std::uint32_t>(upper << 8 | lower);
  };
  std::string text;
  for (std::size_t at = 0; at + 1 < bytes.size(); at += 2) {
    std::uint32_t point = unit(at);
    const bool leads = point >= 0xD800 && point < 0xDC00;
    if (leads && at + 3 < bytes.size() && unit(at + 2) >= 0xDC00 && unit(at + 2) < 0xE000) {
      point = 0x10000 + ((point - 0xD800) << 10) + (unit(at + 2) - 0xDC00);
      at += 2;
    } else if (point >= 0xD800 && point < 0xE000) {
      point = 0xFFFD;  // half of a pair
    }
    append_utf8(text, point);
  }
  return text;
}

// Windows-1252: Latin-1 with letters where that has control characters. No text is invalid in it.
std::string from_western(std::string_view bytes) {
  static constexpr std::array<std::uint16_t, 32> kUpper = {
      0x20AC, 0xFFFD, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
      0x2039, 0x0152, 0xFFFD, 0x017D, 0xFFFD, 0xFFFD, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
      0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0xFFFD, 0x017E, 0x0178};
  std::string text;
  for (const unsigned char byte : bytes) {
    append_utf8(text, byte >= 0x80 && byte < 0xA0 ? kUpper[byte - 0x80u] : byte);
  }
  return text;
}

std::string decode(std::string_view bytes, const std::string& where) {
  if (bytes.starts_with("PK\x03\x04"sv) || bytes.starts_with("\xD0\xCF\x11\xE0"sv)) {
    throw_error<DataError>("{}: a workbook, not a table. Save it as CSV (UTF-8).", where);
  }
  if (bytes.starts_with("\xEF\xBB\xBF"sv)) bytes.remove_prefix(3);
  if (bytes.starts_with("\xFF\xFE"sv)) return from_utf16(bytes.substr(2), 1);
  if (bytes.starts_with("\xFE\xFF"sv)) return from_utf16(bytes.substr(2), 0);
  // UTF-16 without its mark: a header has letters, every other byte of which is zero.
  if (bytes.size() > 3 && bytes[0] != 0 && bytes[1] == 0 && bytes[2] != 0 && bytes[3] == 0) {
    return from_utf16(bytes, 1);
  }
  if (bytes.size() > 3 && bytes[0] == 0 && bytes[1] != 0 && bytes[2] == 0 && bytes[3] != 0) {
    return from_utf16(bytes, 0);
  }
  if (bytes.find('\0') != std::string_view::npos) {
    throw_error<DataError>("{}: not a table: it holds zero bytes. Save it as CSV (UTF-8).", where);
  }
  if (is_utf8(bytes)) return std::string(bytes);
  log::warn(
      "{}: not UTF-8; read as Windows-1252. Letters with accents may come out wrong: save it as "
      "UTF-8.",
      where);
  return from_western(bytes);
}

// The separator that parts the first line most often, outside quotes.
char find_separator(std::string_view text) {
  std::array<std::pair<char, int>, 3> counts{{{',', 0}, {';', 0}, {'\t', 0}}};
  bool quoted = false;
  for (const char c : text) {
    if (c == '"') quoted = !quoted;
    if (!quoted && (c == '\n' || c == '\r')) break;
    for (auto& [separator, count] : counts) count += !quoted && c == separator;
  }
  return std::max_element(counts.begin(), counts.end(),
                          [](const auto& a, const auto& b) { return a.second < b.second; })
      ->first;
}

void trim(std::string& field) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!field.empty() && is_blank(field.back())) field.pop_back();
  field.erase(field.begin(), std::find_if_not(field.begin(), field.end(), is_blank));
}

class Reader {
 public:
  Reader(std::string_view text, char separator, const std::string& where)
      : text_(text), separator_(separator), where_(where) {}

  bool done() const { return at_ >= text_.size(); }

  // One record; quoted fields may hold separators, quotes and line ends.
  std::vector<std::string> take() {
    std::vector<std::string> fields;
    for (;;) {
      fields.push_back(take_field());
      if (done()) return fields;
      const char end = text_[at_++];
      if (end == separator_) continue;
      if (end == '\r' && !done() && text_[at_] == '\n') ++at_;
      return fields;
    }
  }

 private:
  bool at_end_of_field() const {
    return done() || text_[at_] == separator_ || text_[at_] == '\n' || text_[at_] == '\r';
  }

  std::string take_field() {
    std::string field;
    std::size_t begin = at_;
    while (begin < text_.size() && text_[begin] == ' ') ++begin;
    if (begin < text_.size() && text_[begin] == '"') {
      at_ = begin + 1;
      field = take_quoted();
      std::string rest;  // after the closing quote, of programs that do not double theirs
      for (; !at_end_of_field(); ++at_) rest += text_[at_];
      trim(rest);
      return field + rest;
    }
    for (; !at_end_of_field(); ++at_) field += text_[at_];
    trim(field);
    return field;
  }

  std::string take_quoted() {
    std::string field;
    const std::size_t opened = at_;
    for (; !done(); ++at_) {
      if (text_[at_] != '"') {
        field += text_[at_];
      } else if (at_ + 1 < text_.size() && text_[at_ + 1] == '"') {
        field += text_[++at_];
      } else {
        ++at_;
        return field;
      }
    }
    const auto before = text_.substr(0, opened);
    throw_error<DataError>("{}: line {}: a quote (\") is opened and never closed.", where_,
                           1 + std::count(before.begin(), before.end(), '\n'));
  }

  std::string_view text_;
  char separator_;
  const std::string& where_;
  std::size_t at_ = 0;
};

}  // namespace

Table parse_table(std::string_view bytes, const std::string& where) {
  const std::string decoded = decode(bytes, where);
  std::string_view text = decoded;
  Table table;
  if (text.starts_with("sep=") && text.size() > 5) {  // Excel's own first line
    table.separator = text[4];
    text.remove_prefix(std::min(text.find_first_of("\r\n"), text.size()));
  } else {
    table.separator = find_separator(text);
  }
  for (Reader reader(text, table.separator, where); !reader.done();) {
    std::vector<std::string> row = reader.take();
    if (row.size() > 1 || !row[0].empty()) table.rows.push_back(std::move(row));
  }
  return table;
}

Table read_table(const Path& path) {
  const auto bytes = posix_file_system().read(path);
  return parse_table({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path.string());
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string result = "\"";
  for (const char c : text) result += c == '"' ? std::string("\"\"") : std::string(1, c);
  return result + "\"";
}

}  // namespace lacuna
