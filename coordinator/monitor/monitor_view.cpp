#include "coordinator/monitor/monitor_view.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "base/text/text_table.h"
#include "coordinator/status/status_text.h"

namespace lacuna::coordinator {
namespace {

constexpr int kFewestEvents = 3;  // that keep their place when there are many ranks
constexpr int kMostEvents = 10;
constexpr int kLowWindow = 20;  // lines below which the ranks need the room of parts and rates
constexpr std::size_t kLongestHost = 24;
// Columns from which the table of ranks holds hosts, and process ids too.
constexpr int kHostWidth = 70, kPidWidth = 90;

void add_summary(ViewLines& view, const Json& status, ViewSize size) {
  const auto at = [&](const char* key) { return status.value(key, Json()); };
  std::string bar;
  if (const auto share = progress_share(status)) {
    bar = progress_bar(*share, std::min(40, size.width - 50), size.unicode);
  }
  view.field("progress", bar + (bar.empty() ? "" : "  ") + position_text(status));
  view.field("speed", speed_text(status));
  std::vector<double> losses;
  if (const Json recent = at("recent_losses"); recent.is_array()) {
    for (const Json& point : recent) {
      const bool finite = point.is_array() && point.size() == 2 && point.at(1).is_number();
      losses.push_back(finite ? point.at(1).get<double>()
                              : std::numeric_limits<double>::quiet_NaN());
    }
  }
  view.field("loss",
             fmt::format("{:<10} {}", number_or_dash(at("loss")),
                         sparkline(losses, std::min(60, size.width - ViewLines::kLabel - 12),
                                   size.unicode)));
  const bool low = size.height < kLowWindow;
  if (!low) {
    view.numbers("", at("losses"));
    view.numbers("rates", at("learning_rates"));
    view.numbers("method", at("diagnostics"));
  }
  view.field("validation", validation_text(status));
  view.field("checkpoint", checkpoint_text(status));
  if (const Json page = at("page"); page.is_string() && !low) {
    view.field("page", fmt::format("{}  user lacuna, password in coordinator.token",
                                   page.get<std::string>()));
  }
}

bool in_trouble(const Json& rank) {
  const std::string health = rank_health(rank);
  return health != "ok" && health != "done";
}

// The head, then a line per rank. Fixed widths: what is looked at again and again must not jump.
std::vector<std::string> rank_lines(const std::vector<const Json*>& ranks, int width) {
  std::vector<TableColumn> columns = {{"rank", true, 4}};
  const bool hosts = width >= kHostWidth, pids = width >= kPidWidth;
  if (hosts) columns.push_back({"host", false, 4, kLongestHost});
  if (pids) columns.push_back({"pid", true, 8});
  columns.insert(columns.end(),
                 {{"step", true, 7}, {"activity", false, 16}, {"for", true, 10}, {"state"}});
  TextTable table(std::move(columns));
  for (const Json* rank : ranks) {
    std::vector<std::string> cells = {text_or_dash(*rank, "rank")};
    if (hosts) cells.push_back(text_or_dash(*rank, "host"));
    if (pids) cells.push_back(text_or_dash(*rank, "pid"));
    cells.insert(cells.end(), {text_or_dash(*rank, "step"), text_or_dash(*rank, "activity"),
                               duration_or_dash(rank->value("seconds_in_activity", Json())),
                               rank_health(*rank)});
    table.add(std::move(cells));
  }
  return table.lines();
}

void add_ranks(ViewLines& view, const Json& ranks, int room, int width) {
  if (!ranks.is_array() || ranks.empty()) return;
  std::vector<const Json*> shown;
  for (const Json& rank : ranks) shown.push_back(&rank);
  const int limit = std::max(1, room - 2);  // without the head and the rest
  const int total = static_cast<int>(shown.size());
  if (total > limit) {
    std::stable_partition(shown.begin(), shown.end(), [](auto* rank) { return in_trouble(*rank); });
    shown.resize(static_cast<std::size_t>(limit));
  }
  const std::vector<std::string> lines = rank_lines(shown, width);
  view.add("");
  view.add(lines.front(), LineStyle::kQuiet);
  for (std::size_t i = 0; i < shown.size(); ++i) {
    view.add(lines[i + 1], in_trouble(*shown[i]) ? LineStyle::kAlarm : LineStyle::kPlain);
  }
  if (total > limit) view.add(fmt::format("      and {} more", total - limit), LineStyle::kQuiet);
}

void add_events(ViewLines& view, const Json& events, int room) {
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
  ViewLines view(size);
  view.add(fmt::format("{}   {}   {}   stage {}   restarts {}", text_or_dash(status, "run"),
                       text_or_dash(status, "method"), text_or_dash(status, "state"),
                       text_or_dash(status, "stage"), text_or_dash(status, "restarts")),
           LineStyle::kTitle);
  if (!note.empty()) view.add_wrapped(note, LineStyle::kAlarm);
  if (const Json lost = status.value("lost", Json()); lost.is_object()) {
    view.add_wrapped(text_or_dash(lost, "reason"), LineStyle::kAlarm);
  }
  for (const Json& warning : status.value("warnings", Json::array())) {
    if (warning.is_string()) view.add_wrapped(warning.get<std::string>(), LineStyle::kAlarm);
  }
  view.add("");
  add_summary(view, status, size);
  const int room = size.height - view.size() - 1;
  const int events =
      room > 3 * kFewestEvents ? kFewestEvents + 2 : 0;  // a low window has ranks only
  add_ranks(view, status.value("ranks", Json()), room - events, size.width);
  add_events(view, status.value("events", Json()), size.height - view.size());
  return view.take();
}

}  // namespace lacuna::coordinator
