// The script of an array, to be read by people: what sbatch gets and what each task does. Pure
// functions of the request.
//
// The script finds the name of its task and becomes the request's runner, which does everything
// else: signals, staging directories, requeues (job_course.h).
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
