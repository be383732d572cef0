#include "coordinator/monitor/sweep_view.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/text/text_table.h"
#include "coordinator/status/status_text.h"
#include "coordinator/status/status_warnings.h"

namespace lacuna::coordinator {
namespace {

constexpr std::size_t kLongestName = 40, kShortestName = 12;
constexpr int kOtherColumns = 58;  // of a line without its name and bar
constexpr int kMethodWidth = 100;  // columns from which a bar has room

// The order of states: what needs somebody first, what is over last.
int urgency(const Json& run) {
  static const std::map<std::string, int> kOrder = {
      {"dead", 0},     {"lost a rank", 0}, {"diverged", 0},           {"running", 2},
      {"starting", 3}, {"not started", 4}, {"stopped on request", 5}, {"done", 6}};
  const auto found = kOrder.find(text_or_dash(run, "state"));
  const int order = found == kOrder.end() ? 0 : found->second;
  return order == 2 && !run.value("warnings", Json::array()).empty() ? 1 : order;
}

std::string name_of(const Json& run) {
  const Json label = run.value("label", Json());
  return label.is_string() && !label.get_ref<const std::string&>().empty()
             ? label.get<std::string>()
             : text_or_dash(run, "run");
}

std::vector<const Json*> ordered(const Json& sweep) {
  std::vector<const Json*> runs;
  for (const Json& run : sweep.at("runs")) runs.push_back(&run);
  std::stable_sort(runs.begin(), runs.end(),
                   [](const Json* a, const Json* b) { return urgency(*a) < urgency(*b); });
  return runs;
}

double share_of(const Json& run) {
  if (text_or_dash(run, "state") == "done") return 1;
  return progress_share(run).value_or(0);
}

// The head, then a line per run; bar: columns of one, or 0. Fixed widths: what is looked at again
// and again must not jump.
std::vector<std::string> run_lines(const std::vector<const Json*>& runs, std::size_t name_width,
                                   int bar, bool unicode) {
  std::vector<TableColumn> columns = {{"run", false, name_width, name_width},
                                      {"state", false, 11, 11}};
  if (bar > 0) columns.push_back({});
  columns.insert(columns.end(),
                 {{"done", true, 7}, {"loss", true, 8}, {"best", true, 8}, {"left", true, 14}});
  TextTable table(std::move(columns));
  for (const Json* run : runs) {
    const Json validation = run->value("validation", Json());
    const Json best = validation.is_object() ? validation.value("best_score", Json()) : Json();
    std::vector<std::string> cells = {name_of(*run), text_or_dash(*run, "state")};
    if (bar > 0) cells.push_back(progress_bar(share_of(*run), bar, unicode));
    cells.insert(cells.end(), {fmt::format("{:.1f} %", 100 * share_of(*run)),
                               number_or_dash(run->value("loss", Json())), number_or_dash(best, 3),
                               duration_or_dash(run->value("eta_seconds", Json()))});
    table.add(std::move(cells));
  }
  return table.lines();
}

std::string summary(const Json& sweep) {
  std::string text;
  for (const auto& [state, count] : sweep.at("counts").items()) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count.dump(), state);
  }
  return text;
}

}  // namespace

std::vector<std::string> order_of_runs(const Json& sweep) {
  std::vector<std::string> names;
  for (const Json* run : ordered(sweep)) names.push_back(text_or_dash(*run, "run"));
  return names;
}

std::vector<ViewLine> sweep_view(const Json& sweep, int chosen, ViewSize size) {
  const std::vector<const Json*> runs = ordered(sweep);
  const int count = static_cast<int>(runs.size());
  ViewLines view(size);
  double done = 0;
  std::size_t name_width = kShortestName;
  for (const Json* run : runs) {
    done += share_of(*run) / count;
    name_width = std::max(name_width, std::min(kLongestName, name_of(*run).size()));
  }
  view.add(text_or_dash(sweep, "directory"), LineStyle::kTitle);
  view.add(fmt::format("{} run{}: {}", count, count == 1 ? "" : "s", summary(sweep)));
  view.add(fmt::format(
      "{} {:.1f} %", progress_bar(done, std::min(40, size.width - 10), size.unicode), 100 * done));
  view.add("");
  const auto spare = static_cast<std::size_t>(std::max(0, size.width - kOtherColumns));
  name_width = std::min(name_width, std::max(kShortestName, spare));
  const int bar = size.width >= kMethodWidth
                      ? std::min(20, size.width - kOtherColumns - static_cast<int>(name_width))
                      : 0;
  // The part that is in sight, with a line below for what is not.
  const int room = std::max(1, size.height - view.size() - 2);
  const int first = std::clamp(chosen - room / 2, 0, std::max(0, count - room));
  const std::vector<const Json*> shown(runs.begin() + first,
                                       runs.begin() + std::min(count, first + room));
  const auto lines = run_lines(shown, name_width, bar >= 8 ? bar : 0, size.unicode);
  view.add(lines.front(), LineStyle::kQuiet);
  for (int i = first; i < std::min(count, first + room); ++i) {
    const Json& run = *runs[static_cast<std::size_t>(i)];
    view.add(lines[static_cast<std::size_t>(i - first) + 1], i == chosen ? LineStyle::kChosen
                                                             : urgency(run) <= 1 ? LineStyle::kAlarm
                                                             : urgency(run) >= 4
                                                                 ? LineStyle::kQuiet
                                                                 : LineStyle::kPlain);
  }
  if (count > room) {
    view.add(fmt::format("runs {} to {} of {}", first + 1, std::min(count, first + room), count),
             LineStyle::kQuiet);
  }
  return view.take();
}

}  // namespace lacuna::coordinator
