#include "coordinator/monitor_view.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <sstream>

#include <fmt/format.h>

#include "coordinator/status_text.h"

namespace lacuna::coordinator {
namespace {

constexpr int kLabel = 12;        // columns of the labels on the left
constexpr int kFewestEvents = 3;  // that keep their place when there are many ranks
constexpr int kMostEvents = 10;

// Printable, and cut to `width` columns. Every character counts as one column: names here are ASCII
// and the bars are narrow.
std::string fit(const std::string& text, int width) {
  std::string cut;
  int columns = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool starts = (byte & 0xC0U) != 0x80U;
    if (starts && columns++ >= width) break;
    cut += byte < 0x20 || byte == 0x7F ? '?' : c;
  }
  return cut;
}

class View {
 public:
  explicit View(int width) : width_(width) {}
  void add(const std::string& text, LineStyle style = LineStyle::kPlain) {
    lines_.push_back({fit(text, width_), style});
  }
  // Over as many lines as it takes: a reason must not be cut off.
  void add_wrapped(const std::string& text, LineStyle style) {
    std::string line;
    std::istringstream words(text);
    for (std::string word; words >> word;) {
      if (!line.empty() && static_cast<int>(line.size() + word.size()) + 1 > width_) {
        add(line, style);
        line.clear();
      }
      line += (line.empty() ? "" : " ") + word;
    }
    add(line, style);
  }
  void field(const char* label, const std::string& text) {
    add(fmt::format("{:<{}}{}", label, kLabel, text));
  }
  // "name 0.12  name 0.34", over as many lines as it takes.
  void numbers(const char* label, const Json& object) {
    if (!object.is_object() || object.empty()) return;
    std::string line;
    for (const auto& [name, value] : object.items()) {
      const std::string item = fmt::format("{} {}", name, number_or_dash(value));
      if (!line.empty() && kLabel + static_cast<int>(line.size() + item.size()) + 2 > width_) {
        field(label, line);
        label = "";
        line.clear();
      }
      line += (line.empty() ? "" : "  ") + item;
    }
    field(label, line);
  }
  int size() const { return static_cast<int>(lines_.size()); }
  std::vector<ViewLine> take() { return std::move(lines_); }

 private:
  const int width_;
  std::vector<ViewLine> lines_;
};

std::string bar(const Json& status, int width) {
  const Json step = status.value("step", Json()), steps = status.value("steps", Json());
  if (!step.is_number() || !steps.is_number() || steps <= 0 || width < 10) return "";
  const double share = std::clamp(step.get<double>() / steps.get<double>(), 0.0, 1.0);
  const int filled = static_cast<int>(std::lround(share * width));
  std::string text;
  for (int i = 0; i < width; ++i) text += i < filled ? "█" : "░";
  return text + "  ";
}

void add_summary(View& view, const Json& status, int width) {
  const auto at = [&](const char* key) { return status.value(key, Json()); };
  view.field("progress", bar(status, std::min(40, width - 50)) + position_text(status));
  view.field("speed", speed_text(status));
  std::vector<double> losses;
  if (const Json recent = at("recent_losses"); recent.is_array()) {
    for (const Json& point : recent) {
      const bool finite = point.is_array() && point.size() == 2 && point.at(1).is_number();
      losses.push_back(finite ? point.at(1).get<double>()
                              : std::numeric_limits<double>::quiet_NaN());
    }
  }
  view.field("loss", fmt::format("{:<10} {}", number_or_dash(at("loss")),
                                 sparkline(losses, std::min(60, width - kLabel - 12))));
  view.numbers("", at("losses"));
  view.numbers("rates", at("learning_rates"));
  view.numbers("method", at("diagnostics"));
  view.field("validation", validation_text(status));
  view.field("checkpoint", checkpoint_text(status));
  const Json skipped = at("skipped_steps");
  if (skipped.is_number() && skipped > 0) view.field("skipped", skipped.dump() + " steps");
}

void add_ranks(View& view, const Json& ranks, int room) {
  if (!ranks.is_array() || ranks.empty()) return;
  std::vector<const Json*> shown;
  for (const Json& rank : ranks) shown.push_back(&rank);
  const auto troubled = [](const Json* rank) {
    const std::string health = rank_health(*rank);
    return health != "ok" && health != "done";
  };
  const int limit = std::max(1, room - 2);  // without the head and the rest
  const int total = static_cast<int>(shown.size());
  if (total > limit) {
    std::stable_partition(shown.begin(), shown.end(), troubled);
    shown.resize(static_cast<std::size_t>(limit));
  }
  std::size_t host_width = 4;
  for (const Json* rank : shown) {
    host_width =
        std::max(host_width, std::min<std::size_t>(24, text_or_dash(*rank, "host").size()));
  }
  view.add("");
  view.add(fmt::format("{:>4}  {:<{}}  {:>8}  {:>9}  {:<17} {:>12}  {}", "rank", "host", host_width,
                       "pid", "step", "activity", "for", "state"),
           LineStyle::kQuiet);
  for (const Json* rank : shown) {
    view.add(fmt::format(
                 "{:>4}  {:<{}}  {:>8}  {:>9}  {:<17} {:>12}  {}", text_or_dash(*rank, "rank"),
                 text_or_dash(*rank, "host").substr(0, 24), host_width, text_or_dash(*rank, "pid"),
                 text_or_dash(*rank, "step"), text_or_dash(*rank, "activity"),
                 duration_or_dash(rank->value("seconds_in_activity", Json())), rank_health(*rank)),
             troubled(rank) ? LineStyle::kAlarm : LineStyle::kPlain);
  }
  if (total > limit) view.add(fmt::format("      and {} more", total - limit), LineStyle::kQuiet);
}

void add_events(View& view, const Json& events, int room) {
  if (!events.is_array() || events.empty() || room < 3) return;
  view.add("");
  view.add("events", LineStyle::kQuiet);
  const auto count = static_cast<std::size_t>(std::min(room - 2, kMostEvents));
  for (std::size_t i = events.size() - std::min(count, events.size()); i < events.size(); ++i) {
    view.add(event_text(events.at(i)));
  }
}

}  // namespace

std::vector<ViewLine> monitor_view(const Json& status, const std::string& note, ViewSize size) {
  View view(size.width);
  view.add(fmt::format("{}   {}   {}   stage {}   restarts {}", text_or_dash(status, "run"),
                       text_or_dash(status, "method"), text_or_dash(status, "state"),
                       text_or_dash(status, "stage"), text_or_dash(status, "restarts")),
           LineStyle::kTitle);
  if (!note.empty()) view.add_wrapped(note, LineStyle::kAlarm);
  if (const Json lost = status.value("lost", Json()); lost.is_object()) {
    view.add_wrapped(text_or_dash(lost, "reason"), LineStyle::kAlarm);
  }
  view.add("");
  add_summary(view, status, size.width);
  const int room = size.height - view.size() - 1;
  const int events =
      room > 3 * kFewestEvents ? kFewestEvents + 2 : 0;  // a low window has ranks only
  add_ranks(view, status.value("ranks", Json()), room - events);
  add_events(view, status.value("events", Json()), size.height - view.size());
  std::vector<ViewLine> lines = view.take();
  if (static_cast<int>(lines.size()) > size.height) {
    lines.resize(static_cast<std::size_t>(std::max(0, size.height)));
  }
  return lines;
}

std::string sparkline(const std::vector<double>& values, int width) {
  static constexpr std::array kBars = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
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
    line += kBars[static_cast<std::size_t>(std::lround(share * (kBars.size() - 1)))];
  }
  return line;
}

}  // namespace lacuna::coordinator
