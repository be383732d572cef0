#include "app/sweep/scheduler_choice.h"

#include <filesystem>

#include "slurm/slurm_scheduler.h"

namespace lacuna::app {

std::unique_ptr<slurm::Scheduler> scheduler() { return std::make_unique<slurm::SlurmScheduler>(); }

std::unique_ptr<slurm::Scheduler> scheduler_if_used(const experiments::SweepDirectory& directory) {
  return std::filesystem::exists(directory.submissions_file()) ? scheduler() : nullptr;
}

}  // namespace lacuna::app
