// When the run is validated, by whom, and which step was the best.
//
// Without a validation rank the trainers validate together, at once. With one, the weights of step
// s are sent to it, step s is saved as a candidate and kept until it is judged, and its score
// counts at step s + validate.lag (or at the next validation, or a step before the end, if that
// comes first): a rule of steps, not of time. Of equal scores the earlier step stays the best.
// Collective over the trainers; not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "worker/run/run_checkpoints.h"
#include "worker/run/run_progress.h"
#include "worker/validation/validation.h"
#include "worker/validation/validation_link.h"

namespace lacuna::worker {

class Judge {
 public:
  struct Verdict {
    std::int64_t step = 0;  // whose weights were judged
    double score = 0;
    bool best = false;  // so far
    Json detail;        // for metrics.jsonl
  };
  struct Report {
    bool stopped = false;           // a stop was asked for before the last score was there
    bool candidate = false;         // this step must be saved: it is being judged
    std::vector<Verdict> verdicts;  // without those of which no case could be read
    std::vector<Json> unread;       // {"case", "reason"}, of each case once
  };

  // link null: no validation rank. All must outlive the object.
  Judge(const RunConfig& config, const data::Cohort& cohort, std::vector<int> cases,
        methods::Method& method, TrainingState& state, RankGroup& ranks, ValidationLink* link,
        RunProgress& counters);

  // Whether this process and the other trainers validate after this step themselves.
  bool validates_here(std::int64_t step) const;
  // Cases that the last validation could not read.
  std::int64_t skipped_cases() const { return skipped_cases_; }
  // Whether a verdict comes after this step.
  bool reports_at(std::int64_t step) const;
  // After each step; notes the best in the counters. go_on: asked between cases and while a score
  // is waited for. After a stop the call for this step is made again when the run goes on.
  Report after_step(std::int64_t step, const std::function<bool()>& go_on);
  // After a restart: the candidate that the counters name is judged again, from its checkpoint.
  // The verdict comes at once when there is no validation rank (any more).
  Report restore(const RunCheckpoints& checkpoints);
  // The run stops or ends: nobody waits for the verdict that is out.
  void drain();

 private:
  bool starts_at(std::int64_t step) const;
  std::int64_t verdict_at() const;
  void submit(std::int64_t step, const TensorPack& weights);
  bool collect(Report& report, const std::function<bool()>& go_on);
  void judge(Report& report, std::int64_t step, double score, Json detail);
  std::optional<ValidationScore> validate_here(const std::function<bool()>& go_on);

  const RunConfig& config_;
  const data::Cohort& cohort_;
  const std::vector<int> cases_;
  ValidationCases files_;
  std::set<std::string> told_;  // cases that could not be read
  std::int64_t skipped_cases_ = 0;
  methods::Method& method_;
  TrainingState& state_;
  RankGroup& ranks_;
  ValidationLink* link_;
  RunProgress& counters_;
  std::shared_ptr<Answer> answer_;      // of counters_.candidate
  std::optional<std::int64_t> judged_;  // the step of the last score of a candidate
};

// Events, and on rank 0 warnings, of what a validation found.
void record(const Judge::Report& report, std::int64_t step, bool writes, RunFiles& files);

}  // namespace lacuna::worker
