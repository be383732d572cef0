#include "experiments/sweep_submit.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/error.h"
#include "slurm/launcher_choice.h"

namespace lacuna::experiments {
namespace {

// Long for a page that takes seconds; short enough for any partition, and to be let in between.
constexpr const char* kReportTime = "15";

class Submitter {
 public:
  Submitter(const SweepDirectory& directory, const SweepPlan& plan,
            const std::vector<std::string>& program, slurm::Scheduler& scheduler)
      : directory_(directory),
        plan_(plan),
        program_(program),
        scheduler_(scheduler),
        submissions_(directory) {
    if (directory.root().string().find('{') != std::string::npos) {
      throw_error<ConfigError>("{}: braces in the name of a sweep directory are not possible here",
                               directory.root().string());
    }
    submissions_.settle(scheduler, /*store=*/true);
    note_unfinished();
  }

  SubmitReport submit(const std::vector<const PlannedRun*>& runs) {
    for (std::size_t group = 0; group < plan_.groups.size(); ++group) {
      for (std::size_t resources = 0; resources < plan_.resources.size(); ++resources) {
        std::vector<std::string> tasks;
        for (const PlannedRun* run : runs) {
          if (run->group == group && run->resources == resources) tasks.push_back(run->id);
        }
        if (!tasks.empty()) submit(group, resources, std::move(tasks));
      }
    }
    const bool covered = report_.arrays.empty() && !former_reports_.empty();
    if (!under_way_.empty() && !covered) submit_report();
    return std::move(report_);
  }

 private:
  // Arrays that still work on a group: others may have to wait for them.
  void note_unfinished() {
    std::map<std::string, std::size_t> group_of;
    for (const PlannedRun& run : plan_.runs) group_of[run.id] = run.group;
    std::vector<std::string> jobs;
    for (const Submission& each : submissions_.all()) jobs.push_back(each.job);
    if (jobs.empty()) return;
    std::set<std::string> alive;
    for (const slurm::TaskState& state : scheduler_.query(jobs)) {
      if (!slurm::has_ended(state.status)) alive.insert(state.job);
    }
    for (const Submission& each : submissions_.all()) {
      if (!alive.contains(each.job)) continue;
      (each.report ? former_reports_ : under_way_).push_back(each.job);
      for (const std::string& run : each.runs) {
        if (const auto group = group_of.find(run); group != group_of.end()) {
          jobs_of_[group->second].insert(each.job);
        }
      }
    }
  }

  std::vector<std::string> runner() const {
    std::vector<std::string> words = program_;
    words.insert(words.end(), {"sweep", "job"});
    return words;
  }

  void submit(std::size_t group, std::size_t resources_index, std::vector<std::string> tasks) {
    const SweepResources resources = read_resources(plan_.resources[resources_index], "resources");
    slurm::ArrayRequest request;
    request.name = submissions_.next_name(plan_.name);
    request.tasks = std::move(tasks);
    request.throttle = resources.throttle;
    request.resources = resources.job;
    request.folder = directory_.jobs();
    request.logs = directory_.logs();
    request.max_requeues = resources.max_requeues;
    request.signal_seconds = resources.signal_seconds;
    request.progress = (directory_.root() / "runs/{task}/checkpoints").string();
    request.runner = runner();
    request.command = program_;
    request.command.insert(request.command.end(),
                           {"sweep", "task", directory_.root().string(), "{task}"});
    if (!resources.staging.empty()) {
      request.staging = resources.staging;
      request.command.insert(request.command.end(), {"--staging", "{staging}"});
    }
    for (const std::size_t before : plan_.groups[group].after) {
      request.after.insert(request.after.end(), jobs_of_[before].begin(), jobs_of_[before].end());
    }
    explain_launcher(resources);
    const auto before = [&](const slurm::ArrayRequest& part) {
      submissions_.about_to_submit(part.name, part.tasks);
    };
    const auto after = [&](const slurm::SubmittedArray& made) {
      submissions_.submitted(made.name, made.job);
      jobs_of_[group].insert(made.job);
      under_way_.push_back(made.job);
      report_.arrays.push_back(made);
    };
    slurm::submit_all(scheduler_, request, before, after);
  }

  // The runs count, not the page: a refusal is told and changes nothing.
  void submit_report() {
    try {
      slurm::ArrayRequest request;
      request.name = submissions_.next_name(plan_.name) + "-report";
      request.tasks = {"report"};
      request.resources = report_resources();
      request.after = under_way_;
      request.folder = directory_.jobs();
      request.logs = directory_.logs();
      request.runner = runner();
      request.command = program_;
      request.command.insert(request.command.end(),
                             {"sweep", "report", directory_.root().string(), "--quiet"});
      submissions_.about_to_submit(request.name, {}, /*report=*/true);
      const std::string job = scheduler_.submit(request);
      submissions_.submitted(request.name, job);
      report_.report_job = job;
      // After the new one is there, so that a sweep is never without.
      scheduler_.cancel(former_reports_);
    } catch (const Error& error) {
      report_.notes.push_back(
          fmt::format("{} So no job writes the report. When the runs have "
                      "ended: lacuna sweep report {}",
                      error.what(), directory_.root().string()));
    }
  }

  // Where the runs may run, too, unless the sweep file says otherwise.
  slurm::Resources report_resources() const {
    Json section = {{"time", kReportTime}};
    for (const char* key : {"partition", "account", "extra"}) {
      const Json& runs = plan_.resources.front();
      if (runs.contains(key)) section[key] = runs[key];
    }
    section.update(plan_.report);
    return read_resources(section, "report").job;
  }

  void explain_launcher(const SweepResources& resources) {
    if (resources.job.ranks < 2) return;
    const slurm::LauncherChoice choice =
        slurm::choose_launcher(resources.launcher, resources.job.ranks, scheduler_.capabilities());
    const std::string note =
        fmt::format("{} ranks through {}: {}", resources.job.ranks, choice.launcher, choice.reason);
    if (std::find(report_.notes.begin(), report_.notes.end(), note) == report_.notes.end()) {
      report_.notes.push_back(note);
    }
  }

  const SweepDirectory& directory_;
  const SweepPlan& plan_;
  const std::vector<std::string>& program_;
  slurm::Scheduler& scheduler_;
  Submissions submissions_;
  std::map<std::size_t, std::set<std::string>> jobs_of_;  // of groups
  std::vector<std::string> under_way_, former_reports_;   // arrays that hold runs, or none
  SubmitReport report_;
};

}  // namespace

SubmitReport submit_runs(const SweepDirectory& directory, const SweepPlan& plan,
                         const std::vector<const PlannedRun*>& runs,
                         const std::vector<std::string>& program, slurm::Scheduler& scheduler) {
  return Submitter(directory, plan, program, scheduler).submit(runs);
}

std::vector<std::string> cancel_runs(const SweepDirectory& directory, slurm::Scheduler& scheduler) {
  Submissions submissions(directory);
  submissions.settle(scheduler, /*store=*/true);
  std::vector<std::string> jobs;
  for (const Submission& each : submissions.all()) jobs.push_back(each.job);
  if (jobs.empty()) return {};
  std::set<std::string> alive;
  for (const slurm::TaskState& state : scheduler.query(jobs)) {
    if (!slurm::has_ended(state.status)) alive.insert(state.job);
  }
  const std::vector<std::string> list(alive.begin(), alive.end());
  if (!list.empty()) scheduler.cancel(list);
  return list;
}

}  // namespace lacuna::experiments
