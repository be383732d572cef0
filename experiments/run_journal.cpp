#include "experiments/run_journal.h"

#include <sstream>
#include <utility>

#include "base/error.h"
#include "base/files/json_lines.h"
#include "base/text/parse_json.h"

namespace lacuna::experiments {
namespace {

std::optional<double> number(const Json& line, const char* key) {
  const auto found = line.find(key);
  if (found == line.end() || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

std::string text(const Json& line, const char* key) {
  const auto found = line.find(key);
  return found != line.end() && found->is_string() ? found->get<std::string>() : "";
}

void add(JournalSummary& summary, const Json& line) {
  const std::string event = text(line, "event");
  summary.time = text(line, "time");
  if (event == "start") {
    ++summary.starts;
    summary.open = true;
    summary.done = false;
    summary.code.reset();
    summary.reason.clear();
    summary.host = text(line, "host");
    summary.job = text(line, "job");
  } else if (event == "trained") {
    if (const auto seconds = number(line, "seconds_per_step")) summary.step_seconds = seconds;
  } else if (event == "done") {
    summary.done = true;
    summary.open = false;
    summary.code = 0;
    summary.dice = number(line, "dice");
    if (const auto seconds = number(line, "seconds")) summary.eval_seconds = seconds;
  } else if (event == "held") {
    summary.reason = text(line, "reason");
  } else if (event == "end") {
    summary.open = false;
    summary.code = static_cast<int>(number(line, "code").value_or(1));
    summary.reason = text(line, "reason");
  } else if (event == "retry") {
    const auto step_seconds = summary.step_seconds;
    summary = {};
    summary.exists = true;
    summary.step_seconds = step_seconds;
  }
}

}  // namespace

bool JournalSummary::failed() const {
  if (done || open || !code) return false;
  return *code != static_cast<int>(ExitCode::kSavedOnRequest) &&
         *code != static_cast<int>(ExitCode::kPeerLost);
}

JournalSummary read_journal(const Path& path) {
  JournalSummary summary;
  const auto text = read_if_there(path);
  summary.exists = text.has_value();
  std::istringstream file(text.value_or(""));
  for (std::string line; std::getline(file, line);) {
    const Json object = parse_json_line(line);
    if (object.is_object()) add(summary, object);
  }
  return summary;
}

void write_journal(const Path& path, const std::string& event, Json detail, const Clock& clock) {
  posix_file_system().make_directories(path.parent_path());
  detail["time"] = utc_text(clock.unix_seconds());
  detail["event"] = event;
  append_durably(path, detail);
}

}  // namespace lacuna::experiments
