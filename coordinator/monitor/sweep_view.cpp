#include "coordinator/monitor/sweep_view.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

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

std::string run_line(const Json& run, std::size_t name_width, int bar, bool unicode) {
  const Json validation = run.value("validation", Json());
  const Json best = validation.is_object() ? validation.value("best_score", Json()) : Json();
  std::string line = fmt::format("{:<{}}  {:<11.11}  ", name_of(run).substr(0, name_width),
                                 name_width, text_or_dash(run, "state"));
  if (bar > 0) line += progress_bar(share_of(run), bar, unicode) + " ";
  return line + fmt::format("{:>5.1f} %  {:>8}  {:>8}  {:>14}", 100 * share_of(run),
                            number_or_dash(run.value("loss", Json())), number_or_dash(best, 3),
                            duration_or_dash(run.value("eta_seconds", Json())));
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
  view.add(fmt::format("{:<{}}  {:<11}  {}{:>7}  {:>8}  {:>8}  {:>14}", "run", name_width, "state",
                       std::string(static_cast<std::size_t>(bar >= 8 ? bar + 1 : 0), ' '), "done",
                       "loss", "best", "left"),
           LineStyle::kQuiet);
  // The part that is in sight, with a line below for what is not.
  const int room = std::max(1, size.height - view.size() - 1);
  const int first = std::clamp(chosen - room / 2, 0, std::max(0, count - room));
  for (int i = first; i < std::min(count, first + room); ++i) {
    const Json& run = *runs[static_cast<std::size_t>(i)];
    view.add(run_line(run, name_width, bar >= 8 ? bar : 0, size.unicode),
             i == chosen         ? LineStyle::kChosen
             : urgency(run) <= 1 ? LineStyle::kAlarm
             : urgency(run) >= 4 ? LineStyle::kQuiet
                                 : LineStyle::kPlain);
  }
  if (count > room) {
    view.add(fmt::format("runs {} to {} of {}", first + 1, std::min(count, first + room), count),
             LineStyle::kQuiet);
  }
  return view.take();
}

}  // namespace lacuna::coordinator
