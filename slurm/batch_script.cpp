#include "slurm/batch_script.h"

#include <algorithm>

#include <fmt/ranges.h>

#include "slurm/quote.h"
#include "slurm/request_check.h"

namespace lacuna::slurm {
namespace {

const std::map<std::string, std::string> kVariables = {{"task", "task"}, {"staging", "staging"}};

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

std::string staging_lines(const ArrayRequest& request) {
  const bool used = std::any_of(
      request.command.begin(), request.command.end(),
      [](const std::string& word) { return word.find("{staging}") != std::string::npos; });
  if (!used) return "";
  const int nodes = request.resources.nodes;
  const std::string everywhere =
      nodes == 1 ? ""
                 : fmt::format("srun --mpi=none --nodes={} --ntasks={} --ntasks-per-node=1 ", nodes,
                               nodes);
  return fmt::format(
      R"(
# A directory on each node that lives as long as the job.
staging={0}/lacuna-$SLURM_JOB_ID
trap '{1}rm -rf -- "$staging"' EXIT
if ! {1}mkdir -p -m 700 -- "$staging"; then
  say "$staging cannot be made: change the staging directory"
  exit 1
fi
)",
      bash_quoted(request.staging.string()), everywhere);
}

// After a loss of ranks: it must have got further since the loss before.
std::string loss_lines(const ArrayRequest& request) {
  if (request.progress.empty()) return "";
  const std::string losses = bash_quoted((request.folder / (request.name + ".lost")).string());
  return fmt::format(
      R"script(if [ "$code" = 76 ]; then
  newest=$(ls -1 -- {0} 2>/dev/null | grep -v '[.]partial$' | tail -n 1)
  lost={1}/"$task"
  if [ -f "$lost" ] && [ "$(cat -- "$lost")" = "$newest" ]; then
    say "ranks were lost twice at the same checkpoint (${{newest:-none}}): not requeued"
    exit 76
  fi
  mkdir -p -- {1} && printf '%s\n' "$newest" >"$lost"
fi
)script",
      bash_quoted(request.progress, kVariables), losses);
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
  for (const std::string& word : request.command) {
    command += "  " + bash_quoted(word, kVariables) + "\n";
  }
  return fmt::format(
      R"script(#!/bin/bash
# Lacuna: {count} tasks; their names, by index: {name}.tasks
# Submitted by: {submit}
{directives}
set -u
say() {{ echo "[$(date -u +%Y-%m-%dT%H:%M:%SZ)] $*"; }}

# With an array's last task SLURM_JOB_ID means the whole array: never use it to requeue.
id=${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID
restarts=${{SLURM_RESTART_COUNT:-0}}
task=$(sed -n "$((SLURM_ARRAY_TASK_ID + 1))p" {tasks})
if [ -z "$task" ]; then
  say "no task $SLURM_ARRAY_TASK_ID: the list of tasks cannot be read"
  exit 1
fi
say "task $task: job $id on $SLURM_JOB_NODELIST, start $((restarts + 1))"
{staging}
command=(
{command})

# USR2 comes {notice} s before the time limit, TERM when SLURM ends the job. Both: save and stop.
asked= child= code=
trap 'asked=1; [ -z "$child" ] || kill -USR2 "$child" 2>/dev/null' USR2 TERM
if [ -z "$asked" ]; then
  # bash loses the code of a program that ends while a trap runs: a subshell deaf to signals tells.
  exec 3>&1 4< <(
    "${{command[@]}}" </dev/null >&3 3>&- &
    trap '' USR2 TERM
    echo $!
    wait $!
    echo $?
  )
  read -r child <&4
  [ -z "$asked" ] || kill -USR2 "$child"
  until read -r code <&4; do [ $? -gt 128 ] || break; done
fi
# Asked before it was started, or could listen (128 + USR2): nothing is lost.
[ -z "$asked" ] || case $code in '' | 140) code=75 ;; esac

say "task $task ended with code $code"
case $code in 75 | 76) ;; *) exit "$code" ;; esac
{loss}if [ "$restarts" -ge {requeues} ]; then
  say "it has been restarted $restarts times ({requeues} are allowed): not requeued"
  exit "$code"
fi
# A cancelled job that requeues itself comes back to life; and when a node was lost, the job may
# run again elsewhere by now.
case $(scontrol show job -o "$id") in
  *JobState=RUNNING*" Restarts=$restarts "* | *Reason=TimeLimit*" Restarts=$restarts "*) ;;
  *)
    say "SLURM ends or restarts this job itself: not requeued from here"
    exit "$code"
    ;;
esac
for attempt in 1 2 3; do
  scontrol requeue "$id" && exit "$code"
  sleep 5
done
say "SLURM does not requeue it (its words above). Go on with: lacuna sweep retry"
exit "$code"
)script",
      fmt::arg("count", request.tasks.size()), fmt::arg("name", request.name),
      fmt::arg("submit", bash_line(submit_command(request))),
      fmt::arg("directives", directives(request)),
      fmt::arg("tasks", bash_quoted(tasks_path(request).string())),
      fmt::arg("staging", staging_lines(request)), fmt::arg("command", command),
      fmt::arg("notice", request.signal_seconds), fmt::arg("loss", loss_lines(request)),
      fmt::arg("requeues", request.max_requeues));
}

}  // namespace lacuna::slurm
