// lacuna sweep job: runs the command of an array's task, as the script of the array calls it.
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include <fmt/core.h>

#include "app/sweep/scheduler_choice.h"
#include "app/sweep/sweep.h"
#include "base/process/child_process.h"
#include "base/process/clock.h"
#include "base/text/log.h"
#include "slurm/job_course.h"

namespace lacuna::app {
namespace {

struct SweepJobOptions {
  slurm::JobSettings job;
  std::string progress, losses, staging;
  int nodes = 1;
};

constexpr double kAskSeconds = 0.05;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

void say(const std::string& text) {
  fmt::print("[{}] {}\n", utc_text(steady_clock().unix_seconds()), text);
  std::fflush(stdout);
}

void sleep_seconds(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

// What stands behind the first "--", as it is: no parser of options sees it (main.cpp).
std::vector<std::string> command_given() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::vector<std::string> words;
  bool found = false;
  for (std::string word; std::getline(file, word, '\0');) {
    if (found) words.push_back(word);
    found = found || word == "--";
  }
  if (words.empty()) throw_error<ConfigError>("no command. Give it behind: --");
  return words;
}

// USR2 comes before the time limit, TERM when SLURM ends the job. Both mean: save and stop. They
// are blocked and taken one by one, so that none is lost; the command does not inherit that.
class Requests {
 public:
  Requests() {
    sigemptyset(&set_);
    for (const int each : {SIGUSR2, SIGTERM, SIGINT}) sigaddset(&set_, each);
    ::pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    std::signal(SIGUSR2, SIG_DFL);  // the script ignores it until here
  }
  // Whether one came within `seconds`.
  bool wait(double seconds) const {
    const timespec time{
        static_cast<time_t>(seconds),
        static_cast<long>((seconds - static_cast<double>(static_cast<time_t>(seconds))) * 1e9)};
    return ::sigtimedwait(&set_, nullptr, &time) > 0;
  }

 private:
  sigset_t set_;
};

int run_command_of_task(const std::vector<std::string>& command, const Requests& requests) {
  bool asked = requests.wait(0);
  if (asked) return static_cast<int>(ExitCode::kSavedOnRequest);  // nothing runs: nothing to save
  ChildProcess child(ChildOptions{command});
  std::optional<int> code;
  while (!(code = child.wait(0))) {
    if (!requests.wait(kAskSeconds)) continue;
    asked = true;
    child.signal(SIGUSR2);
  }
  // It could not listen yet, so it had not begun.
  const bool unheard = *code == 128 + SIGUSR2 || *code == 128 + SIGTERM;
  return asked && unheard ? static_cast<int>(ExitCode::kSavedOnRequest) : *code;
}

ExitCode run(SweepJobOptions options) {
  const Requests requests;
  slurm::JobSettings& job = options.job;
  job.progress = options.progress;
  job.losses = options.losses;
  const std::string array = variable("SLURM_ARRAY_JOB_ID");
  if (array.empty()) {
    throw_error<ConfigError>(
        "this is no task of an array (SLURM_ARRAY_JOB_ID is not set): it is "
        "for the scripts that `lacuna sweep submit` writes");
  }
  job.id = array + "_" + variable("SLURM_ARRAY_TASK_ID");
  job.restarts = std::atoi(variable("SLURM_RESTART_COUNT").c_str());
  say(fmt::format("task {}: job {} on {}, start {}", job.task, job.id,
                  variable("SLURM_JOB_NODELIST"), job.restarts + 1));
  std::vector<std::string> command = command_given();
  std::optional<slurm::StagingDirectory> staging;
  if (!options.staging.empty()) {
    try {
      staging.emplace(options.staging, variable("SLURM_JOB_ID"), options.nodes);
    } catch (const DataError& error) {
      say(error.what());
      return ExitCode::kError;
    }
    for (std::string& word : command) {
      const std::string mark = "{staging}", path = staging->path().string();
      for (std::size_t at = 0; (at = word.find(mark, at)) != std::string::npos;) {
        word.replace(at, mark.size(), path);
        at += path.size();
      }
    }
  }
  const int code = run_command_of_task(command, requests);
  staging.reset();
  say(fmt::format("task {} ended with code {}", job.task, code));
  const auto batch_system = scheduler();
  slurm::requeue_if_wanted(code, job, *batch_system, say, sleep_seconds);
  return static_cast<ExitCode>(code);
}

}  // namespace

void add_sweep_job(CLI::App& sweep, ExitCode& code) {
  auto* command =
      sweep.add_subcommand("job", "Runs the command of an array's task; scripts call it");
  const auto options = std::make_shared<SweepJobOptions>();
  command->add_option("--task", options->job.task, "Name of the task")->required();
  command->add_option("--max-requeues", options->job.max_requeues, "Restarts after 75 and 76")
      ->capture_default_str();
  command->add_option("--progress", options->progress,
                      "Directory whose last entry tells how far the task is");
  command->add_option("--losses", options->losses, "Where losses of ranks are written down");
  command->add_option("--staging", options->staging,
                      "Under which {staging} of the command is made, on each node");
  command->add_option("--nodes", options->nodes, "Nodes of the job")->capture_default_str();
  command->add_option("--pause", options->job.pause, "Seconds between questions to SLURM")
      ->capture_default_str();
  command->footer(
      "Example: lacuna sweep job --task 0123456789abcdef -- lacuna sweep task sweeps/first "
      "0123456789abcdef");
  command->callback([options, &code] { code = run(*options); });
}

}  // namespace lacuna::app
