#include "experiments/run_task.h"

#include <algorithm>
#include <csignal>
#include <optional>
#include <sstream>
#include <utility>

#include <unistd.h>

#include "base/files/held_error.h"
#include "base/process/child_process.h"
#include "base/process/host.h"
#include "base/text/log.h"
#include "base/text/options.h"
#include "experiments/predecessor.h"
#include "experiments/run_course.h"
#include "experiments/run_journal.h"

namespace lacuna::experiments {
namespace {

constexpr double kEvalGraceSeconds = 5;
constexpr std::int64_t kReasonBytes = 1 << 14;
constexpr int kHeld = static_cast<int>(kHeldCode);

std::string text_at(const Json& object, const char* path) {
  const Json* value = find_path(object, path);
  return value && value->is_string() ? value->get<std::string>() : "";
}

std::int64_t size_of(const Path& file) {
  std::error_code none;
  const auto size = std::filesystem::file_size(file, none);
  return none ? 0 : static_cast<std::int64_t>(size);
}

// The last error of what was written to a log since `begin`, or its last line: what a person would
// look for there.
std::string last_words(const Path& log, std::int64_t begin) {
  std::istringstream lines(read_tail(log, std::min(kReasonBytes, size_of(log) - begin)));
  std::string last, error;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("error: ")) error = line.substr(7);
    if (!line.empty()) last = line;
  }
  return error.empty() ? last : error;
}

// Ended by a request to stop that came before, or beside, ours.
bool was_asked_to_stop(int code) { return code == 128 + SIGTERM || code == 128 + SIGUSR2; }

std::string reason_of(int code, const char* command, const std::string& words) {
  if (code > 128) return fmt::format("{} was killed by signal {}", command, code - 128);
  return words.empty() ? fmt::format("{} ended with code {}", command, code) : words;
}

class Task {
 public:
  Task(const SweepDirectory& directory, const SweepPlan& plan, const PlannedRun& run,
       const TaskSettings& settings, const std::function<bool()>& stop)
      : directory_(directory), plan_(plan), run_(run), settings_(settings), stop_(stop) {}

  ExitCode execute(const ResolveRun& resolve) {
    ResolvedRun resolved;
    try {
      resolved = resolve(plan_.run_object(run_), "run " + run_.label);
    } catch (const ConfigError& error) {
      return end(2, error.what());
    }
    const JournalSummary before = read_journal(directory_.journal(run_.id));
    if (before.done &&
        std::filesystem::exists(summary_file(directory_, plan_, run_, resolved.resolved))) {
      log::info("{}: done already", run_.label);
      return ExitCode::kDone;
    }
    write("start", {{"host", host_name()}, {"job", settings_.job}});
    if (resolved.id != run_.id) {
      return end(2, fmt::format("this version of lacuna makes it run {}: submit the sweep file "
                                "again, or use the version that planned it",
                                resolved.id));
    }
    const Readiness ready = readiness(directory_, plan_, run_);
    if (!ready.ready) return end(ready.never ? 1 : 75, ready.reason);
    directory_.store_config(run_.id, resolved.resolved);
    const int trained = train_once_free(resolved.resolved);
    if (trained == kHeld) return ExitCode::kSavedOnRequest;  // not ours to end
    if (trained != 0) return end(trained, reason_);
    return evaluate(resolved.resolved);
  }

 private:
  void write(const std::string& event, Json detail) {
    write_journal(directory_.journal(run_.id), event, std::move(detail), *settings_.clock);
  }

  ExitCode end(int code, const std::string& reason) {
    write("end", {{"code", code}, {"reason", reason}});
    return static_cast<ExitCode>(code);
  }

  // As train(). While another process has the run it is tried again: kHeld when that goes on for
  // too long. Whether it is free only `lacuna train` finds out, by taking it.
  int train_once_free(const Json& resolved) {
    const double deadline = settings_.clock->seconds() + settings_.busy_seconds;
    for (bool told = false;; told = true) {
      const int code = train(resolved);
      if (code != kHeld) return code;
      if (!told) {
        log::info("{}: waiting: {}", run_.label, reason_);
        write("held", {{"reason", reason_}});
      }
      for (const double next = settings_.clock->seconds() + settings_.held_seconds;;) {
        const double now = settings_.clock->seconds();
        if (stop_() || now >= deadline) return kHeld;
        if (now >= next) break;
        ::usleep(static_cast<useconds_t>(1e6 * settings_.poll_seconds));
      }
    }
  }

  // Exit code of a `lacuna` command, with words_; a request to stop is handed on as `signal`.
  int call(const std::vector<std::string>& arguments, int signal) {
    const Path log = directory_.log(run_.id);
    const std::int64_t begin = size_of(log);
    const int code = run_child(arguments, signal);
    words_ = last_words(log, begin);
    return code;
  }

  int run_child(const std::vector<std::string>& arguments, int signal) {
    ChildOptions options;
    options.command = settings_.program;
    options.command.insert(options.command.end(), arguments.begin(), arguments.end());
    options.environment = settings_.environment;
    options.output_file = directory_.log(run_.id).string();
    ChildProcess child(options);
    bool told = false;
    for (;;) {
      if (const auto code = child.wait(settings_.poll_seconds)) return *code;
      if (told || !stop_()) continue;
      if (signal == SIGTERM) return child.end(kEvalGraceSeconds);
      child.signal(signal);
      told = true;
    }
  }

  // 0, or the code to end with and reason_.
  int train(const Json& resolved) {
    const SweepResources resources =
        read_resources(plan_.resources.at(run_.resources), "resources");
    std::vector<std::string> arguments = {"train", directory_.config(run_.id).string(), "--out",
                                          directory_.run(run_.id).string(), "--quiet"};
    const auto set = [&](const std::string& setting) {
      arguments.insert(arguments.end(), {"--set", setting});
    };
    if (!settings_.staging.empty()) set("data.stage=" + Json(settings_.staging).dump());
    if (const auto before = predecessor_of(resolved)) {
      set("init.weights=" + Json(directory_.run(*before).string()).dump());
    }
    const Json* threads = find_path(resolved, "train.threads");
    if (settings_.threads > 0 && threads && *threads == 0) {
      set(fmt::format("train.threads={}", settings_.threads));
    }
    if (resources.job.ranks > 1) {
      arguments.insert(arguments.end(), {"--ranks", std::to_string(resources.job.ranks),
                                         "--launcher", resources.launcher});
    }
    const double start = settings_.clock->seconds();
    const int code = call(arguments, SIGUSR2);
    const RunCourse course = read_course(directory_.run(run_.id));
    if (code == 0) {
      Json detail = {{"step", course.step}, {"seconds", settings_.clock->seconds() - start}};
      if (course.step_seconds) detail["seconds_per_step"] = *course.step_seconds;
      write("trained", detail);
      return 0;
    }
    if (code == 75 || was_asked_to_stop(code)) {
      reason_ = fmt::format("stopped on request at step {}", course.step);
      return 75;
    }
    reason_ = reason_of(code, "train", words_);
    if (code == kHeld) return kHeld;
    return code == 2 || code == 76 || code == 77 ? code : 1;
  }

  ExitCode evaluate(const Json& resolved) {
    if (stop_()) return end(75, "stopped on request before its evaluation");
    std::vector<std::string> arguments = {"eval", directory_.run(run_.id).string(), "--part",
                                          plan_.evaluate.part, "--quiet"};
    if (plan_.evaluate.hd95 == "none") {
      arguments.push_back("--no-hd95");
    } else {
      arguments.insert(arguments.end(), {"--hd95", plan_.evaluate.hd95});
    }
    const double start = settings_.clock->seconds();
    const int code = call(arguments, SIGTERM);
    if (was_asked_to_stop(code)) return end(75, "stopped on request during its evaluation");
    if (code != 0) {
      return end(code == 2 ? 2 : 1, "evaluation: " + reason_of(code, "eval", words_));
    }
    const Path file = summary_file(directory_, plan_, run_, resolved);
    if (!std::filesystem::exists(file)) {
      return end(1, fmt::format("evaluation: {} was not written", file.string()));
    }
    const Json summary = read_json(file);
    Json detail = {{"seconds", settings_.clock->seconds() - start}};
    if (const Json* dice = find_path(summary, "mean.dice.mean")) detail["dice"] = *dice;
    write("done", detail);
    return ExitCode::kDone;
  }

  const SweepDirectory& directory_;
  const SweepPlan& plan_;
  const PlannedRun& run_;
  const TaskSettings& settings_;
  const std::function<bool()>& stop_;
  std::string reason_, words_;
};

}  // namespace

ExitCode run_task(const SweepDirectory& directory, const SweepPlan& plan, const PlannedRun& run,
                  const ResolveRun& resolve, const TaskSettings& settings,
                  const std::function<bool()>& stop) {
  return Task(directory, plan, run, settings, stop).execute(resolve);
}

Readiness readiness(const SweepDirectory& directory, const SweepPlan& plan, const PlannedRun& run) {
  const std::vector<std::size_t>& groups = plan.groups.at(run.group).after;
  if (groups.empty()) return {};
  std::size_t missing = 0;
  for (const PlannedRun& other : plan.runs) {
    if (std::find(groups.begin(), groups.end(), other.group) == groups.end()) continue;
    const JournalSummary journal = read_journal(directory.journal(other.id));
    if (journal.failed()) {
      return {false, true,
              fmt::format("waits for {} of group {}, which failed: {}", other.label,
                          plan.groups[other.group].name, journal.reason)};
    }
    missing += journal.done ? 0 : 1;
  }
  if (missing == 0) return {};
  return {false, false, fmt::format("waits for {} runs of groups before its own", missing)};
}

Path summary_file(const SweepDirectory& directory, const SweepPlan& plan, const PlannedRun& run,
                  const Json& resolved) {
  return directory.run(run.id) / "eval" /
         (text_at(resolved, "data.split") + "-" + plan.evaluate.part) / "summary.json";
}

}  // namespace lacuna::experiments
