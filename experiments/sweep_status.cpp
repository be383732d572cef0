#include "experiments/sweep_status.h"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <set>

#include <unistd.h>

#include "base/error.h"
#include "base/process/host.h"

namespace lacuna::experiments {
namespace {

constexpr double kSecondsPerHour = 3600;

bool executor_lives(const SweepDirectory& directory) {
  const auto owner = read_lease(directory.root());
  if (!owner || owner->pid == ::getpid()) return false;  // we ask before we work
  if (owner->host == host_name()) return ::kill(static_cast<pid_t>(owner->pid), 0) == 0;
  return steady_clock().unix_seconds() - owner->heartbeat < owner->stale_seconds;
}

std::string key_of(const std::string& job, int index) { return fmt::format("{}_{}", job, index); }

// What the batch system says, by job and index.
class Answers {
 public:
  Answers(slurm::Scheduler* scheduler, Submissions& submissions, std::vector<std::string>& notes) {
    if (submissions.all().empty()) return;
    if (!scheduler) {
      notes.push_back("The batch system was not asked: shown is what the files say.");
      return;
    }
    try {
      submissions.settle(*scheduler, /*store=*/false);
      std::set<std::string> jobs;
      for (const auto& [run, task] : submissions.latest()) jobs.insert(task.job);
      if (const Submission* report = submissions.latest_report()) jobs.insert(report->job);
      if (jobs.empty()) return;
      for (slurm::TaskState& state : scheduler->query({jobs.begin(), jobs.end()})) {
        const std::string key = key_of(state.job, state.index);
        states_.emplace(key, std::move(state));
      }
      asked_ = true;
    } catch (const slurm::SchedulerError& error) {
      notes.push_back(fmt::format("{} Shown is what the files say.", error.what()));
    }
  }

  void add_to(RunEvidence& evidence, const RunTaskId& task) const {
    evidence.job = task.job.empty() ? "of unknown id" : task.job;
    evidence.asked = asked_;
    evidence.task = find(task);
  }
  std::optional<slurm::TaskState> find(const RunTaskId& task) const {
    const auto found = states_.find(key_of(task.job, task.index));
    if (found == states_.end()) return std::nullopt;
    return found->second;
  }
  bool asked() const { return asked_; }

 private:
  std::map<std::string, slurm::TaskState> states_;
  bool asked_ = false;
};

double median(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

SweepStatus read_status(const SweepDirectory& directory, const SweepPlan& plan,
                        slurm::Scheduler* scheduler) {
  SweepStatus status;
  Submissions submissions(directory);
  if (submissions.damaged() > 0) {
    status.notes.push_back(fmt::format(
        "{}: {} damaged lines are passed over, so jobs may be under way that are not known here. "
        "squeue lists them; scancel them before you submit again.",
        directory.submissions_file().string(), submissions.damaged()));
  }
  const Answers answers(scheduler, submissions, status.notes);
  const auto latest = submissions.latest();
  const bool lives = executor_lives(directory);
  status.runs.reserve(plan.runs.size());
  for (const PlannedRun& run : plan.runs) {
    RunEvidence evidence;
    evidence.journal = read_journal(directory.journal(run.id));
    evidence.executor_lives = lives;
    if (evidence.journal.exists && !evidence.journal.done) {
      evidence.course = read_course(directory.run(run.id));
    }
    if (const auto task = latest.find(run.id); task != latest.end()) {
      answers.add_to(evidence, task->second);
    }
    status.runs.push_back(judge(run, evidence));
    ++status.count[static_cast<std::size_t>(status.runs.back().state)];
  }
  const Submission* report = submissions.latest_report();
  status.report = report_status(
      directory, report, report ? answers.find({report->job, 0}) : std::nullopt, answers.asked());
  return status;
}

Estimate estimate(const SweepPlan& plan, const SweepStatus& status) {
  std::map<std::string, std::vector<double>> steps, evaluations;
  for (std::size_t i = 0; i < plan.runs.size(); ++i) {
    const RunStatus& run = status.runs[i];
    if (run.step_seconds) steps[plan.runs[i].kind].push_back(*run.step_seconds);
    if (run.eval_seconds) evaluations[plan.runs[i].kind].push_back(*run.eval_seconds);
  }
  Estimate result;
  for (auto& [kind, values] : steps) result.step_seconds[kind] = median(values);
  std::map<std::string, double> eval_seconds;
  for (auto& [kind, values] : evaluations) eval_seconds[kind] = median(values);
  for (std::size_t i = 0; i < plan.runs.size(); ++i) {
    const PlannedRun& run = plan.runs[i];
    if (status.runs[i].state == RunState::kDone) continue;
    const auto timed = result.step_seconds.find(run.kind);
    if (timed == result.step_seconds.end()) {
      ++result.untimed;
      continue;
    }
    ++result.timed;
    const double left =
        static_cast<double>(std::max<std::int64_t>(0, run.steps - status.runs[i].step));
    const double hours = (left * timed->second + eval_seconds[run.kind]) / kSecondsPerHour;
    result.hours += hours;
    result.longest_hours = std::max(result.longest_hours, hours);
  }
  return result;
}

}  // namespace lacuna::experiments
