// The script of an array, to be read by people: what sbatch gets and what each task does. Pure
// functions of the request.
//
// A task runs its command in the background so that bash hears signals, passes USR2 and TERM on as
// USR2 (save and stop), and decides by the exit code: 75 and 76 put the job back into the queue by
// `scontrol requeue`, which needs no setting by an administrator. Not requeued is a job that was
// cancelled, has had max_requeues restarts, or lost ranks twice without getting further.
#pragma once

#include <string>
#include <vector>

#include "slurm/scheduler.h"

namespace lacuna::slurm {

std::filesystem::path script_path(const ArrayRequest& request);  // folder/<name>.sbatch
std::filesystem::path tasks_path(
    const ArrayRequest& request);  // folder/<name>.tasks: a name a line

// All throw ConfigError as check_request() does.
std::string batch_script(const ArrayRequest& request);
std::string task_list(const ArrayRequest& request);
// sbatch and its arguments.
std::vector<std::string> submit_command(const ArrayRequest& request);

}  // namespace lacuna::slurm
