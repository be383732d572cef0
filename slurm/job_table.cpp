#include "slurm/job_table.h"

#include <array>
#include <charconv>
#include <cstdlib>
#include <map>
#include <optional>
#include <sstream>
#include <string_view>
#include <utility>

namespace lacuna::slurm {
namespace {

struct Column {
  const char* name;
  std::size_t width;
};
// The last two are cut off where they are longer.
constexpr std::array<Column, 9> kColumns{{{"ArrayJobID", 16},
                                          {"ArrayTaskID", 16},
                                          {"State", 20},
                                          {"exit_code", 12},
                                          {"RestartCnt", 8},
                                          {"StartTime", 24},
                                          {"EndTime", 24},
                                          {"NodeList", 64},
                                          {"Reason", 64}}};

[[noreturn]] void unreadable(const std::string& program, const std::string& line) {
  throw SchedulerError(
      SchedulerError::Kind::kUnreadable,
      fmt::format("{} printed a line that cannot be understood: '{}'. Please report it, with what "
                  "`squeue --version` prints.",
                  program, line.substr(0, 200)));
}

std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(' ');
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(' ') + 1 - begin);
}

template <typename Number>
std::optional<Number> number(const std::string& text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return {};
  return value;
}

TaskStatus status_of(const std::string& state, int restarts) {
  static const std::map<std::string, TaskStatus> kStates = {
      {"RUNNING", TaskStatus::kRunning},       {"COMPLETING", TaskStatus::kRunning},
      {"CONFIGURING", TaskStatus::kRunning},   {"SUSPENDED", TaskStatus::kRunning},
      {"STOPPED", TaskStatus::kRunning},       {"SIGNALING", TaskStatus::kRunning},
      {"STAGE_OUT", TaskStatus::kRunning},     {"RESIZING", TaskStatus::kRunning},
      {"REQUEUED", TaskStatus::kRequeued},     {"REQUEUE_FED", TaskStatus::kRequeued},
      {"REQUEUE_HOLD", TaskStatus::kRequeued}, {"SPECIAL_EXIT", TaskStatus::kRequeued},
      {"COMPLETED", TaskStatus::kDone},        {"CANCELLED", TaskStatus::kCancelled},
      {"REVOKED", TaskStatus::kCancelled},     {"TIMEOUT", TaskStatus::kTimeout},
      {"DEADLINE", TaskStatus::kTimeout},      {"NODE_FAIL", TaskStatus::kNodeFail},
      {"PREEMPTED", TaskStatus::kNodeFail},    {"BOOT_FAIL", TaskStatus::kFailed},
      {"FAILED", TaskStatus::kFailed},         {"OUT_OF_MEMORY", TaskStatus::kFailed}};
  const auto found = kStates.find(state.substr(0, state.find(' ')));  // "CANCELLED by 0"
  if (found != kStates.end()) return found->second;
  // PENDING, and states of later versions: nothing is done about a task that waits.
  return restarts > 0 ? TaskStatus::kRequeued : TaskStatus::kPending;
}

// SLURM says None where there is nothing to say; the state itself says more.
void set_state(TaskState& task, const std::string& state, const std::string& reason) {
  task.status = status_of(state, task.restarts);
  task.reason = reason == "None" ? "" : reason;
  if (task.reason.empty() && has_ended(task.status) && task.status != TaskStatus::kDone) {
    task.reason = state;
  }
}

std::int64_t time_of(const std::string& text) { return number<std::int64_t>(text).value_or(0); }

// "3:0" of sacct and the list of ended jobs: code and signal.
void set_exit(TaskState& task, const std::string& text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos || !has_ended(task.status)) return;
  task.exit_code = number<int>(text.substr(0, colon));
  task.signal = number<int>(text.substr(colon + 1)).value_or(0);
}

// The value of " key=value " in a line, from the first or the last place where the key stands.
std::string value_of(const std::string& line, const std::string& key, bool last) {
  const std::string mark = " " + key + "=";
  const std::size_t at = last ? line.rfind(mark) : line.find(mark);
  if (at == std::string::npos) return "";
  const std::size_t begin = at + mark.size();
  return line.substr(begin, line.find(' ', begin) - begin);
}

}  // namespace

std::string squeue_format() {
  std::string format;
  for (const Column& column : kColumns) {
    format += fmt::format("{}{}:{}", format.empty() ? "" : ",", column.name, column.width);
  }
  return format;
}

std::vector<TaskState> parse_squeue(const std::string& text) {
  std::vector<TaskState> tasks;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (trimmed(line).empty()) continue;
    std::array<std::string, kColumns.size()> field;
    std::size_t at = 0;
    for (std::size_t i = 0; i < kColumns.size() && at < line.size(); ++i) {
      field[i] = trimmed(line.substr(at, kColumns[i].width));
      at += kColumns[i].width;
    }
    if (!number<long>(field[0]) || field[2].empty()) unreadable("squeue", line);
    TaskState task;
    task.job = field[0];
    const auto index = number<int>(field[1]);
    if (!index) continue;  // no array, or one that is not split
    task.index = *index;
    task.restarts = number<int>(field[4]).value_or(0);
    set_state(task, field[2], field[8]);
    const auto status = number<int>(field[3]);  // as of wait(2)
    if (has_ended(task.status) && status) {
      task.exit_code = *status >> 8;
      task.signal = *status & 0x7f;
    }
    const bool started = task.status != TaskStatus::kPending;
    if (started) task.start = time_of(field[5]);
    if (has_ended(task.status)) task.end = time_of(field[6]);
    task.nodes = field[7];
    tasks.push_back(std::move(task));
  }
  return tasks;
}

// Without Reason: of tasks that have ended it tells why they once waited.
std::string sacct_format() { return "JobID,State,ExitCode,Start,End,NodeList"; }

std::vector<TaskState> parse_sacct(const std::string& text) {
  std::vector<TaskState> tasks;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (trimmed(line).empty()) continue;
    std::vector<std::string> field;
    std::istringstream parts(line);
    for (std::string part; std::getline(parts, part, '|');) field.push_back(part);
    field.resize(std::max<std::size_t>(field.size(), 6));
    const std::size_t dash = field[0].find('_');
    if (!number<long>(field[0].substr(0, dash))) {
      if (field[0].find('.') != std::string::npos) continue;  // a step: 12_3.batch has a number
      unreadable("sacct", line);
    }
    if (dash == std::string::npos) continue;
    const auto index = number<int>(field[0].substr(dash + 1));
    if (!index) continue;  // 12_[3-7], or 12_3.batch
    TaskState task;
    task.job = field[0].substr(0, dash);
    task.index = *index;
    set_state(task, field[1], "");
    set_exit(task, field[2]);
    task.start = time_of(field[3]);
    task.end = time_of(field[4]);
    task.nodes = field[5] == "None assigned" ? "" : field[5];
    tasks.push_back(std::move(task));
  }
  return tasks;
}

std::vector<TaskState> parse_completions(const std::string& text, unsigned user_id) {
  std::map<std::pair<std::string, int>, TaskState> newest;
  const std::string user = fmt::format("({})", user_id);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    // What stands before the working directory is looked for from the front, what stands behind it
    // from the back: the directory may hold anything.
    if (!value_of(line, "UserId", false).ends_with(user)) continue;
    const auto index = number<int>(value_of(line, "ArrayTaskId", true));
    TaskState task;
    task.job = value_of(line, "ArrayJobId", true);
    if (!index || task.job.empty()) continue;
    task.index = *index;
    set_state(task, value_of(line, "JobState", false), "");
    set_exit(task, value_of(line, "ExitCode", true));
    task.nodes = value_of(line, "NodeList", false);
    // A line that says PENDING is of a requeue: what was known before does not hold any more.
    if (has_ended(task.status)) {
      newest[{task.job, task.index}] = task;
    } else {
      newest.erase({task.job, task.index});
    }
  }
  std::vector<TaskState> tasks;
  for (auto& [key, task] : newest) tasks.push_back(std::move(task));
  return tasks;
}

}  // namespace lacuna::slurm
