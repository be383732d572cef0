// A batch system in memory that does what a test tells it: refuses, loses answers, answers late,
// forgets. Arrays get the ids "1", "2", .. and all tasks wait until the test says otherwise.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "slurm/scheduler.h"

namespace lacuna::tests {

class FakeScheduler final : public slurm::Scheduler {
 public:
  // Faults, each for the next such call alone.
  std::string refuse;            // submit() and cancel() are refused in these words
  int accept_before = 0;         // so many such calls go through before the refusal
  bool lose_submission = false;  // submit() does its work, but its answer does not come
  bool hang = false;             // query(), find() or limits() give no answer
  // query() answers with what was so many calls ago.
  std::size_t late = 0;

  slurm::Limits limit;
  slurm::Capabilities capable{"fake 1", true, true, true, "the fake has it"};

  std::vector<slurm::ArrayRequest> submitted;  // array "1" first
  std::vector<std::string> cancelled;          // as given to cancel()
  int queries = 0;

  slurm::TaskState& task(const std::string& job, int index) {
    for (slurm::TaskState& each : states_) {
      if (each.job == job && each.index == index) return each;
    }
    throw Error("fake: no task " + job + "_" + std::to_string(index));
  }
  void end(const std::string& job, int index, int code) {
    slurm::TaskState& state = task(job, index);
    state.status = code == 0 ? slurm::TaskStatus::kDone : slurm::TaskStatus::kFailed;
    state.exit_code = code;
  }
  void forget(const std::string& job) {
    std::erase_if(states_, [&](const auto& each) { return each.job == job; });
  }

  std::string submit(const slurm::ArrayRequest& request) override {
    fail_if_refused();
    submitted.push_back(request);
    const std::string job = std::to_string(submitted.size());
    for (std::size_t index = 0; index < request.tasks.size(); ++index) {
      slurm::TaskState state;
      state.job = job;
      state.index = static_cast<int>(index);
      states_.push_back(state);
    }
    if (std::exchange(lose_submission, false)) no_answer();
    return job;
  }
  std::vector<std::string> find(const std::string& name) override {
    if (std::exchange(hang, false)) no_answer();
    std::vector<std::string> found;
    for (std::size_t i = 0; i < submitted.size(); ++i) {
      if (submitted[i].name == name) found.push_back(std::to_string(i + 1));
    }
    return found;
  }
  std::vector<slurm::TaskState> query(const std::vector<std::string>& jobs) override {
    ++queries;
    if (std::exchange(hang, false)) no_answer();
    past_.push_back(states_);
    while (past_.size() > late + 1) past_.pop_front();
    std::vector<slurm::TaskState> found;
    for (const slurm::TaskState& each : past_.front()) {
      if (std::find(jobs.begin(), jobs.end(), each.job) != jobs.end()) found.push_back(each);
    }
    return found;
  }
  void cancel(const std::vector<std::string>& jobs) override {
    fail_if_refused();
    cancelled.insert(cancelled.end(), jobs.begin(), jobs.end());
    for (slurm::TaskState& each : states_) {
      for (const std::string& job : jobs) {
        const bool meant = job == each.job || job == each.job + "_" + std::to_string(each.index);
        if (meant && !slurm::has_ended(each.status)) each.status = slurm::TaskStatus::kCancelled;
      }
    }
  }
  // Of a task that asks about itself: what it hears, and how often it was put back. Each error of
  // `troubles` meets one call of fate() or requeue(), in order.
  slurm::TaskFate next_fate = slurm::TaskFate::kOurs;
  std::deque<slurm::SchedulerError::Kind> troubles;
  bool requeued_in_silence = false;  // a requeue whose answer is lost is done all the same
  std::vector<std::string> requeued;
  int fates = 0;
  slurm::TaskFate fate(const std::string&, int) override {
    ++fates;
    fail_if_troubled();
    return next_fate;
  }
  void requeue(const std::string& task) override {
    if (!troubles.empty() && troubles.front() != Kind::kRefused && requeued_in_silence) {
      requeued.push_back(task);
      next_fate = slurm::TaskFate::kTaken;
    }
    fail_if_troubled();
    requeued.push_back(task);
  }
  slurm::Limits limits() override {
    if (std::exchange(hang, false)) no_answer();
    return limit;
  }
  slurm::Capabilities capabilities() override { return capable; }

 private:
  using Kind = slurm::SchedulerError::Kind;
  void fail_if_troubled() {
    if (troubles.empty()) return;
    const Kind kind = troubles.front();
    troubles.pop_front();
    throw slurm::SchedulerError(kind, "fake: trouble");
  }
  void fail_if_refused() {
    if (!refuse.empty() && accept_before-- <= 0) {
      throw slurm::SchedulerError(Kind::kRefused, "fake: " + std::exchange(refuse, {}));
    }
  }
  [[noreturn]] static void no_answer() {
    throw slurm::SchedulerError(Kind::kNoAnswer, "fake: no answer");
  }

  std::vector<slurm::TaskState> states_;
  std::deque<std::vector<slurm::TaskState>> past_;
};

}  // namespace lacuna::tests
