// Training with a status server, heartbeats and the watch over ranks (docs/coordinator.md).
#pragma once

#include <filesystem>

#include "worker/run/run_config.h"
#include "worker/trainer.h"

namespace lacuna::app {

// worker::train() with the hooks `pulse`, `publish` and `checkpoint_requested` set, and requests to
// stop added. `hooks.ranks`: null, or all ranks of the run; then a collective call.
worker::TrainingResult train_watched(const worker::RunConfig& config,
                                     const std::filesystem::path& run_directory,
                                     worker::TrainingHooks hooks);

}  // namespace lacuna::app
