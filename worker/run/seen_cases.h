// Which cases a run has learned from: cases.json of a run directory (docs/run-directory.md).
//
// What was trained on, what chose the checkpoint, what the importance weights were learned on, and
// the same of the run that the weights came from. A test on such a case, or on another visit of its
// patient, is no test. Values and pure functions, thread-safe.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/text/json.h"
#include "data/cache/cohort.h"
#include "worker/run/run_config.h"

namespace lacuna::worker {

struct SeenCases {
  bool known = false;  // false: the run was made by a version that kept no list
  bool exact = true;   // false: put together from the cohort, for want of a list
  std::map<std::string, std::string> cases;     // id -> "train", "validation", "meta" or "init"
  std::map<std::string, std::string> patients;  // the same of their patients
};

// What cases.json holds. `validation`: indices of the cases that choose the checkpoint.
Json describe_seen_cases(const RunConfig& config, const data::Cohort& cohort,
                         const std::vector<int>& validation);

// Of the run that `checkpoint` (a directory <run>/checkpoints/step-N) belongs to. For a run without
// a list, what its split of `cohort` says, when the cohort is the one that it was trained on.
SeenCases read_seen_cases(const std::filesystem::path& checkpoint, const RunConfig& config,
                          const data::Cohort& cohort);

// What the cases that are to be scored have to do with the run.
struct Contact {
  std::map<std::string, int> cases;     // part of the run -> how many of the scored cases
  std::map<std::string, int> patients;  // cases that are unseen, but of a patient that was seen
  std::vector<std::string> examples;    // "BraTS-GLI-00005-101 (patient seen in train)"

  int count() const;
  // One sentence for tables and reports; "" when there is nothing to say.
  std::string note(std::size_t scored) const;
};
Contact find_contact(const SeenCases& seen, const data::Cohort& cohort,
                     const std::vector<int>& scored);

}  // namespace lacuna::worker
