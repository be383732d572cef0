#include "slurm/slurm_scheduler.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>
#include <sstream>
#include <utility>

#include <fmt/ranges.h>
#include <unistd.h>

#include "base/text/log.h"
#include "slurm/batch_script.h"
#include "slurm/job_table.h"

namespace lacuna::slurm {
namespace {

using Kind = SchedulerError::Kind;

std::string user() { return "--user=" + std::to_string(::geteuid()); }

bool is_number(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

// "Key = value" lines of scontrol show config.
std::map<std::string, std::string> parse_config(const std::string& text) {
  std::map<std::string, std::string> config;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t equals = line.find(" = ");
    if (equals == std::string::npos) continue;
    const std::string key = line.substr(0, line.find(' '));
    config[key] = line.substr(equals + 3);
  }
  return config;
}

// The number behind "name=" in a list of settings, or `otherwise`.
int setting(const std::string& list, const std::string& name, int otherwise) {
  const std::size_t at = list.find(name + "=");
  const int value = at == std::string::npos ? 0 : std::atoi(list.c_str() + at + name.size() + 1);
  return value > 0 ? value : otherwise;
}

}  // namespace

SlurmScheduler::SlurmScheduler(Commands commands, FileSystem& files)
    : commands_(std::move(commands)), files_(files) {}

const SlurmScheduler::Settings& SlurmScheduler::settings() {
  if (settings_) return *settings_;
  auto config = parse_config(commands_.run({"scontrol", "show", "config"}).output);
  if (!config.contains("MaxArraySize")) {
    throw SchedulerError(Kind::kUnreadable,
                         "scontrol show config does not tell MaxArraySize. Please report it, with "
                         "what `squeue --version` prints.");
  }
  Settings found;
  found.max_array_size = std::atoi(config["MaxArraySize"].c_str());
  found.max_array_size =
      std::min(found.max_array_size,
               setting(config["SchedulerParameters"], "max_array_tasks", found.max_array_size));
  if (found.max_array_size < 1) {
    throw SchedulerError(Kind::kRefused,
                         "this cluster takes no job arrays (MaxArraySize is 0). Ask its "
                         "administrators, or use the local executor.");
  }
  found.version = config["SLURM_VERSION"];
  found.accounting = config["AccountingStorageType"].find("slurmdbd") != std::string::npos;
  const std::string list = config["JobCompLoc"];
  if (config["JobCompType"] == "jobcomp/filetxt" && ::access(list.c_str(), R_OK) == 0) {
    found.completions = list;
  }
  settings_ = std::move(found);
  return *settings_;
}

std::string SlurmScheduler::submit(const ArrayRequest& request) {
  const std::string script = batch_script(request), tasks = task_list(request);
  files_.make_directories(request.folder);
  files_.make_directories(request.logs);  // without it SLURM fails each task without a word
  write_durably(files_, tasks_path(request), tasks);
  write_durably(files_, script_path(request), script);
  const CommandResult answer = commands_.run(submit_command(request));
  // "12" or "12;cluster".
  const std::string id = answer.output.substr(0, answer.output.find_first_of(";\n"));
  if (!is_number(id)) {
    throw SchedulerError(Kind::kUnreadable,
                         "sbatch answered '" + answer.output + "' instead of a job id");
  }
  return id;
}

std::vector<std::string> SlurmScheduler::find(const std::string& name) {
  const CommandResult answer = commands_.run(
      {"squeue", "--noheader", "--states=all", user(), "--name=" + name, "--Format=ArrayJobID:20"});
  std::set<std::string> found;
  std::istringstream words(answer.output);
  for (std::string word; words >> word;) found.insert(word);
  return {found.begin(), found.end()};
}

std::vector<TaskState> SlurmScheduler::forgotten(const std::vector<std::string>& jobs) {
  const Settings& cluster = settings();
  if (cluster.accounting) {
    try {
      return parse_sacct(
          commands_
              .run({"sacct", "--allocations", "--noheader", "--parsable2",
                    fmt::format("--jobs={}", fmt::join(jobs, ",")), "--format=" + sacct_format()})
              .output);
    } catch (const SchedulerError& error) {
      log::warn("{} Tasks that ended a while ago may be unknown.", error.what());
    }
  }
  if (cluster.completions.empty()) return {};
  const auto bytes = files_.read(cluster.completions);
  return parse_completions({reinterpret_cast<const char*>(bytes.data()), bytes.size()},
                           ::geteuid());
}

std::vector<TaskState> SlurmScheduler::query(const std::vector<std::string>& jobs) {
  if (jobs.empty()) return {};
  const std::set<std::string> wanted(jobs.begin(), jobs.end());
  std::map<std::pair<long, int>, TaskState> states;
  const auto add = [&](std::vector<TaskState> tasks) {
    for (TaskState& task : tasks) {
      if (wanted.contains(task.job)) {
        states.insert_or_assign({std::atol(task.job.c_str()), task.index}, std::move(task));
      }
    }
  };
  add(forgotten(jobs));
  // By user, not by --jobs: one id that is forgotten makes squeue refuse the question.
  add(parse_squeue(commands_
                       .run({"squeue", "--noheader", "--array", "--states=all", user(),
                             "--Format=" + squeue_format()})
                       .output));
  std::vector<TaskState> sorted;
  for (auto& [key, task] : states) sorted.push_back(std::move(task));
  return sorted;
}

void SlurmScheduler::cancel(const std::vector<std::string>& jobs) {
  if (jobs.empty()) return;
  std::vector<std::string> command = {"scancel"};
  for (const std::string& job : jobs) {
    const std::size_t dash = job.find('_');
    const bool good = is_number(job.substr(0, dash)) &&
                      (dash == std::string::npos || is_number(job.substr(dash + 1)));
    if (!good) throw_error<ConfigError>("'{}' is no job or task id", job);
    command.push_back(job);
  }
  try {
    commands_.run(command);
  } catch (const SchedulerError& error) {
    const std::string text = error.what();
    const bool ended = text.find("Invalid job id") != std::string::npos ||
                       text.find("already completing or completed") != std::string::npos;
    if (error.kind() != Kind::kRefused || !ended) throw;
  }
}

TaskFate SlurmScheduler::fate(const std::string& task, int restarts) {
  std::string line = " " + commands_.run({"scontrol", "show", "job", "-o", task}).output;
  std::replace(line.begin(), line.end(), '\n', ' ');
  if (line.find(" JobState=") == std::string::npos) {
    throw SchedulerError(Kind::kUnreadable,
                         "scontrol show job does not tell JobState. Please report "
                         "it, with what `squeue --version` prints.");
  }
  const auto says = [&](const std::string& word) {
    return line.find(" " + word + " ") != std::string::npos;
  };
  // At its end a job is COMPLETING, whoever ends it; the time limit alone is no obstacle.
  const bool runs = says("JobState=RUNNING") || says("Reason=TimeLimit");
  return runs && says(fmt::format("Restarts={}", restarts)) ? TaskFate::kOurs : TaskFate::kTaken;
}

void SlurmScheduler::requeue(const std::string& task) {
  commands_.run({"scontrol", "requeue", task});
}

Limits SlurmScheduler::limits() { return {settings().max_array_size}; }

Capabilities SlurmScheduler::capabilities() {
  const Settings& cluster = settings();
  Capabilities found;
  found.version = cluster.version;
  found.accounting = cluster.accounting;
  found.completions = !cluster.completions.empty();
  try {
    const CommandResult list = commands_.run({"srun", "--mpi=list"});
    std::istringstream words(list.output + " " + list.error);  // versions differ in where
    std::string seen;
    for (std::string word; words >> word;) {
      if (word == "pmix" || word.starts_with("pmix_v")) found.pmix = true;
      if (word == "pmix" || word == "pmi2" || word == "none") seen += " " + word;
    }
    found.pmix_reason = found.pmix ? "srun --mpi=list names pmix"
                                   : "srun --mpi=list names only" + seen + ", not pmix";
  } catch (const SchedulerError& error) {
    found.pmix_reason = error.what();
  }
  return found;
}

}  // namespace lacuna::slurm
