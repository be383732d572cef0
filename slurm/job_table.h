// What squeue, sacct and SLURM's list of ended jobs print, understood. Pure functions of text.
//
// Plain columns, not --json: the columns have been the same for ten years, the JSON changes shape
// with every second release of SLURM and lacks the restarts in some.
#pragma once

#include <string>
#include <vector>

#include "slurm/scheduler.h"

namespace lacuna::slurm {

// For squeue --Format; parse_squeue() reads what it prints.
std::string squeue_format();
// For sacct --format, with --parsable2.
std::string sacct_format();

// All three leave out lines of pending parts of arrays that are not split into tasks yet (squeue -r
// splits them), and of steps. Throw SchedulerError (kUnreadable) for a line that is not theirs.
std::vector<TaskState> parse_squeue(const std::string& text);
std::vector<TaskState> parse_sacct(const std::string& text);
// JobCompType=jobcomp/filetxt: the newest line of each task of this user, if it has ended for good.
std::vector<TaskState> parse_completions(const std::string& text, unsigned user_id);

}  // namespace lacuna::slurm
