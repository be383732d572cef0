#include "slurm/request_check.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace lacuna::slurm {
namespace {

// What Lacuna sets itself; another value would break requeue, names of logs, or the count of ranks.
constexpr std::array<std::string_view, 16> kOurs{
    "array",         "job-name",   "output", "open-mode", "signal",
    "requeue",       "no-requeue", "nodes",  "ntasks",    "ntasks-per-node",
    "cpus-per-task", "dependency", "chdir",  "wrap",      "parsable",
    "wait"};
constexpr std::string_view kOurLetters = "aJonNcdDW";

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

void check_name(const std::string& what, const std::string& name, std::size_t longest) {
  const bool good = !name.empty() && name.size() <= longest && name[0] != '-' && name[0] != '.' &&
                    std::all_of(name.begin(), name.end(), is_name_character);
  if (good) return;
  throw_error<ConfigError>(
      "{} '{}': use up to {} letters, digits, '.', '_' and '-', and begin with a letter or digit.",
      what, name, longest);
}

bool is_printable(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

// sbatch itself splits its lines at spaces, and gives quotes and backslashes a meaning.
void check_word(const std::string& key, const std::string& value) {
  if (is_printable(value) && value.find_first_of(" '\"\\#") == std::string::npos) return;
  throw_error<ConfigError>(
      "resources.{}: '{}' holds a space, a quote, a backslash, '#' or a character outside ASCII, "
      "which SLURM does not take there.",
      key, value);
}

void check_at_least(const std::string& key, int value, int least) {
  if (value < least) throw_error<ConfigError>("{}: {}, but at least {}", key, value, least);
}

void check_extra(const std::string& line, bool gpus) {
  const bool is_long = line.size() > 2 && line.starts_with("--");
  const bool is_short = line.size() > 1 && line[0] == '-' && line[1] != '-';
  if (!is_printable(line) || (!is_long && !is_short)) {
    throw_error<ConfigError>(
        "resources.extra: '{}' is no option of sbatch. Write one option per entry, as "
        "\"--qos=high\", in plain ASCII.",
        line);
  }
  const std::string_view name = is_long
                                    ? std::string_view(line).substr(2, line.find_first_of("= ") - 2)
                                    : std::string_view(line).substr(1, 1);
  // sbatch takes any unambiguous beginning of a name.
  const bool ours = is_long ? std::any_of(kOurs.begin(), kOurs.end(),
                                          [&](auto each) { return each.starts_with(name); })
                            : kOurLetters.find(name) != std::string_view::npos;
  const bool gres = is_long && gpus && std::string_view("gres").starts_with(name);
  if (!ours && !gres) return;
  throw_error<ConfigError>(
      "resources.extra: '{}' is set by Lacuna (or could be taken for that). Use the keys of "
      "`resources`, and write other options in full.",
      line);
}

void check_path(const std::string& what, const std::filesystem::path& path, bool is_pattern) {
  const std::string text = path.string();
  if (!path.is_absolute()) {
    throw_error<ConfigError>("{} '{}': an absolute path is needed", what, text);
  }
  const bool control = std::any_of(text.begin(), text.end(),
                                   [](char c) { return static_cast<unsigned char>(c) < ' '; });
  // In the name of a log SLURM gives the backslash a meaning of its own.
  if (!control && !(is_pattern && text.find('\\') != std::string::npos)) return;
  throw_error<ConfigError>("{} '{}': a path with {} cannot be used. Rename the directory.", what,
                           text, control ? "line breaks or control characters" : "a backslash");
}

}  // namespace

void check_resources(const Resources& resources) {
  check_word("partition", resources.partition);
  check_word("account", resources.account);
  check_word("constraint", resources.constraint);
  check_word("time", resources.time);
  check_word("memory", resources.memory);
  check_at_least("resources.nodes", resources.nodes, 1);
  check_at_least("resources.ranks (one per node at least)", resources.ranks, resources.nodes);
  check_at_least("resources.gpus_per_rank", resources.gpus_per_rank, 0);
  check_at_least("resources.cpus_per_rank", resources.cpus_per_rank, 1);
  for (const std::string& line : resources.extra) check_extra(line, resources.gpus_per_rank > 0);
}

void check_request(const ArrayRequest& request) {
  check_name("name of the array", request.name, 100);
  if (request.tasks.empty()) throw_error<ConfigError>("{}: an array without tasks", request.name);
  for (const std::string& task : request.tasks) check_name("name of a task", task, 200);
  check_resources(request.resources);
  check_at_least("throttle", request.throttle, 0);
  check_at_least("max_requeues", request.max_requeues, 0);
  check_at_least("signal_seconds", request.signal_seconds, 1);
  check_path("folder", request.folder, false);
  check_path("logs", request.logs, true);
  if (request.command.empty() || request.runner.empty()) {
    throw_error<ConfigError>("{}: no command", request.name);
  }
  const auto uses_staging = [](const std::string& word) {
    return word.find("{staging}") != std::string::npos;
  };
  if (std::any_of(request.command.begin(), request.command.end(), uses_staging)) {
    check_path("staging", request.staging, false);
  }
  for (const std::string& job : request.after) {
    const bool digits = !job.empty() && std::all_of(job.begin(), job.end(),
                                                    [](char c) { return c >= '0' && c <= '9'; });
    if (!digits) throw_error<ConfigError>("dependency on '{}', which is no job id", job);
  }
}

}  // namespace lacuna::slurm
