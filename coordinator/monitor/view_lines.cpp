#include "coordinator/monitor/view_lines.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <sstream>
#include <utility>

#include <fmt/format.h>

#include "base/text/text_table.h"
#include "coordinator/status/status_text.h"

namespace lacuna::coordinator {
namespace {

constexpr int kNarrowestBar = 8;

}  // namespace

void ViewLines::add(const std::string& text, LineStyle style) {
  const auto width = static_cast<std::size_t>(std::max(0, size_.width));
  lines_.push_back({printable(text, width, '?'), style});
}

void ViewLines::add_wrapped(const std::string& text, LineStyle style) {
  std::string line;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    if (!line.empty() && static_cast<int>(line.size() + word.size()) + 1 > size_.width) {
      add(line, style);
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
  }
  add(line, style);
}

void ViewLines::field(const char* label, const std::string& text) {
  add(fmt::format("{:<{}}{}", label, kLabel, text));
}

void ViewLines::numbers(const char* label, const Json& object) {
  if (!object.is_object() || object.empty()) return;
  std::string line;
  for (const auto& [name, value] : object.items()) {
    const std::string item = fmt::format("{} {}", name, number_or_dash(value));
    if (!line.empty() && kLabel + static_cast<int>(line.size() + item.size()) + 2 > size_.width) {
      field(label, line);
      label = "";
      line.clear();
    }
    line += (line.empty() ? "" : "  ") + item;
  }
  field(label, line);
}

std::vector<ViewLine> ViewLines::take() {
  if (size() > size_.height) lines_.resize(static_cast<std::size_t>(std::max(0, size_.height)));
  return std::exchange(lines_, {});
}

std::string progress_bar(double share, int width, bool unicode) {
  if (width < kNarrowestBar) return "";
  const int filled = static_cast<int>(std::lround(std::clamp(share, 0.0, 1.0) * width));
  std::string text;
  for (int i = 0; i < width; ++i) {
    text += i < filled ? (unicode ? "█" : "#") : (unicode ? "░" : ".");
  }
  return text;
}

std::string sparkline(const std::vector<double>& values, int width, bool unicode) {
  static constexpr std::array kBars = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  static constexpr std::array kMarks = {"_", ".", ",", "-", "~", "=", "*", "#"};
  const auto& marks = unicode ? kBars : kMarks;
  const std::size_t count = std::min(values.size(), static_cast<std::size_t>(std::max(0, width)));
  const std::vector<double> newest(values.end() - static_cast<std::ptrdiff_t>(count), values.end());
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const double value : newest) {
    if (!std::isfinite(value)) continue;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  std::string line;
  for (const double value : newest) {
    if (!std::isfinite(value)) {
      line += ' ';
      continue;
    }
    const double share = high > low ? (value - low) / (high - low) : 0.5;
    line += marks[static_cast<std::size_t>(std::lround(share * (marks.size() - 1)))];
  }
  return line;
}

}  // namespace lacuna::coordinator
