#include "slurm/batch_script.h"

#include <algorithm>

#include <fmt/ranges.h>

#include "slurm/quote.h"
#include "slurm/request_check.h"

namespace lacuna::slurm {
namespace {

const std::map<std::string, std::string> kVariables = {{"task", "task"}};

std::string directives(const ArrayRequest& request) {
  const Resources& r = request.resources;
  std::string text;
  const auto line = [&](const std::string& option) { text += "#SBATCH " + option + "\n"; };
  const auto word = [&](const char* option, const std::string& value) {
    if (!value.empty()) line(fmt::format("--{}={}", option, value));
  };
  // Ours come last: the later of two lines counts.
  for (const std::string& option : r.extra) line(option);
  word("partition", r.partition);
  word("account", r.account);
  word("constraint", r.constraint);
  word("time", r.time);
  word("mem", r.memory);
  const int per_node = (r.ranks + r.nodes - 1) / r.nodes;
  line(fmt::format("--nodes={} --ntasks={} --ntasks-per-node={} --cpus-per-task={}", r.nodes,
                   r.ranks, per_node, r.cpus_per_rank));
  // Per node: what --gpus spreads over nodes, later steps with other shapes cannot use.
  if (r.gpus_per_rank > 0) line(fmt::format("--gres=gpu:{}", r.gpus_per_rank * per_node));
  line("--job-name=" + request.name);
  line(fmt::format("--array=0-{}{}", request.tasks.size() - 1,
                   request.throttle > 0 ? fmt::format("%{}", request.throttle) : ""));
  if (!request.after.empty()) {
    line(fmt::format("--dependency=afterany:{}", fmt::join(request.after, ":")));
  }
  line(fmt::format("--requeue --open-mode=append --signal=B:USR2@{}", request.signal_seconds));
  return text;
}

bool uses_staging(const ArrayRequest& request) {
  return std::any_of(request.command.begin(), request.command.end(), [](const std::string& word) {
    return word.find("{staging}") != std::string::npos;
  });
}

// The program that the script becomes, with its options, up to the command.
std::vector<std::string> runner(const ArrayRequest& request) {
  std::vector<std::string> words = request.runner;
  const auto option = [&](const char* name, const std::string& value) {
    words.insert(words.end(), {name, value});
  };
  option("--task", "{task}");
  option("--max-requeues", std::to_string(request.max_requeues));
  if (!request.progress.empty()) {
    option("--progress", request.progress);
    option("--losses", (request.folder / (request.name + ".lost")).string());
  }
  if (uses_staging(request)) {
    option("--staging", request.staging.string());
    option("--nodes", std::to_string(request.resources.nodes));
  }
  words.push_back("--");
  return words;
}

}  // namespace

std::filesystem::path script_path(const ArrayRequest& request) {
  return request.folder / (request.name + ".sbatch");
}

std::filesystem::path tasks_path(const ArrayRequest& request) {
  return request.folder / (request.name + ".tasks");
}

std::string task_list(const ArrayRequest& request) {
  check_request(request);
  return fmt::format("{}\n", fmt::join(request.tasks, "\n"));
}

std::vector<std::string> submit_command(const ArrayRequest& request) {
  check_request(request);
  std::string pattern;  // a percent sign that is part of the path is written twice
  for (const char c : request.logs.string()) pattern += c == '%' ? "%%" : std::string(1, c);
  return {"sbatch", "--parsable", "--output=" + pattern + "/%A_%a.log",
          script_path(request).string()};
}

std::string batch_script(const ArrayRequest& request) {
  check_request(request);
  std::string command;
  for (const std::string& word : runner(request)) command += bash_quoted(word, kVariables) + " ";
  for (const std::string& word : request.command) {
    command += "\\\n  " + bash_quoted(word, kVariables);
  }
  return fmt::format(
      R"script(#!/bin/bash
# Lacuna: {count} tasks; their names, by index: {name}.tasks
# Submitted by: {submit}
{directives}
task=$(sed -n "$((SLURM_ARRAY_TASK_ID + 1))p" {tasks})
if [ -z "$task" ]; then
  echo "no task $SLURM_ARRAY_TASK_ID: the list of tasks cannot be read"
  exit 1
fi
# USR2 ({notice} s before the time limit: save and stop) must not end it before it can listen.
trap '' USR2
exec {command}
)script",
      fmt::arg("count", request.tasks.size()), fmt::arg("name", request.name),
      fmt::arg("submit", bash_line(submit_command(request))),
      fmt::arg("directives", directives(request)),
      fmt::arg("tasks", bash_quoted(tasks_path(request).string())), fmt::arg("command", command),
      fmt::arg("notice", request.signal_seconds));
}

}  // namespace lacuna::slurm
