#include "slurm/commands.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <unistd.h>

#include "slurm/quote.h"
#include "slurm/scheduler.h"

namespace lacuna::slurm {
namespace {

using Kind = SchedulerError::Kind;

// Variables by which SLURM finds the cluster; all others of its own are kept from its programs.
constexpr std::array<std::string_view, 3> kKept{"SLURM_CONF", "SLURM_CLUSTERS", "SLURM_JWT"};
// With these a user chooses defaults for jobs, which is welcome.
constexpr std::array<std::string_view, 6> kWelcome{"SBATCH_ACCOUNT",    "SBATCH_PARTITION",
                                                   "SBATCH_QOS",        "SBATCH_RESERVATION",
                                                   "SBATCH_CONSTRAINT", "SBATCH_EXPORT"};

template <typename List>
bool contains(const List& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

std::vector<std::string> unwanted_variables() {
  std::vector<std::string> names;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view name(*entry, std::string_view(*entry).find('='));
    bool slurms = false;
    for (const std::string_view prefix : {"SLURM_", "SBATCH_", "SQUEUE_", "SACCT_", "SCANCEL_"}) {
      slurms = slurms || name.starts_with(prefix);
    }
    if (slurms && !contains(kKept, name) && !contains(kWelcome, name)) names.emplace_back(name);
  }
  return names;
}

// Its messages, on one line, without the name of the program and the word "error" before each.
std::string words_of(const CommandResult& result) {
  std::string words;
  for (const char c : result.error.empty() ? result.output : result.error) {
    words += c == '\n' ? ' ' : c;
  }
  words.erase(words.find_last_not_of(' ') + 1);
  return words.empty() ? "no message" : words;
}

struct Meaning {
  const char* words;  // of SLURM
  Kind kind;
  const char* remedy;
};

constexpr std::array<Meaning, 14> kMeanings{{
    // First, because it names the controller too, and the request may have got through.
    {"timed out", Kind::kNoAnswer, "The controller is busy or down; ask again in a minute."},
    {"Unable to contact slurm controller", Kind::kMissing,
     "The controller is down or cannot be reached from here; ask again later."},
    {"configuration source", Kind::kMissing,
     "This machine belongs to no cluster: use a login node, or the local executor."},
    {"configuration file", Kind::kMissing,
     "This machine belongs to no cluster: use a login node, or the local executor."},
    {"nvalid partition", Kind::kRefused, "Set resources.partition to one that sinfo lists."},
    {"nvalid account", Kind::kRefused, "Set resources.account to one of yours."},
    {"nvalid qos", Kind::kRefused, "Change --qos in resources.extra."},
    {"nvalid feature", Kind::kRefused, "Set resources.constraint to what sinfo -o %f lists."},
    {"nvalid generic resource", Kind::kRefused,
     "The cluster has no such GPUs: set resources.gpus_per_rank to 0 or choose a partition."},
    {"ode configuration is not available", Kind::kRefused,
     "No node has so many cores, GPUs or so much memory: change `resources`."},
    {"ime limit", Kind::kRefused, "Change resources.time."},
    {"nvalid job array", Kind::kRefused, "Arrays must be smaller here: see MaxArraySize."},
    {"limit", Kind::kRefused,
     "A limit of yours is reached: wait for jobs to end, or ask for more."},
    {"quota", Kind::kRefused, "Free some disk space."},
}};

[[noreturn]] void refuse(const std::vector<std::string>& command, const CommandResult& result) {
  const std::string words = words_of(result);
  const std::string said =
      fmt::format("{} ended with code {}: {}", command.front(), *result.code, words);
  for (const Meaning& each : kMeanings) {
    if (words.find(each.words) != std::string::npos) {
      throw SchedulerError(each.kind, said + ". " + each.remedy);
    }
  }
  throw SchedulerError(Kind::kRefused, said + ". The command was: " + bash_line(command));
}

}  // namespace

Commands::Commands(std::filesystem::path folder, double deadline_seconds)
    : folder_(std::move(folder)), deadline_seconds_(deadline_seconds) {}

CommandResult Commands::attempt(const std::vector<std::string>& command) const {
  ChildOptions options{command, {{"SLURM_TIME_FORMAT", "%s"}, {"LC_ALL", "C"}}};
  options.removed = unwanted_variables();
  if (!folder_.empty()) options.command.front() = (folder_ / command.front()).string();
  CommandResult result;
  try {
    result = run_command(options, deadline_seconds_);
  } catch (const Error& error) {
    throw SchedulerError(Kind::kMissing,
                         std::string(error.what()) +
                             " SLURM's commands are needed: use a login node of the cluster (often "
                             "`module load slurm`), or the local executor.");
  }
  if (!result.code) {
    throw SchedulerError(
        Kind::kNoAnswer,
        fmt::format("{} gave no answer within {:.0f} s and was ended. The controller is busy or "
                    "down; ask again in a minute.{}",
                    command.front(), deadline_seconds_,
                    result.error.empty() ? "" : " It said: " + words_of(result)));
  }
  return result;
}

CommandResult Commands::run(const std::vector<std::string>& command) const {
  CommandResult result = attempt(command);
  if (result.code != 0) refuse(command, result);
  return result;
}

}  // namespace lacuna::slurm
