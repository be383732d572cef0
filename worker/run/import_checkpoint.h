// A run directory made from published weights, as if Lacuna had trained them: eval, predict and
// export take it.
#pragma once

#include <filesystem>

#include "methods/exchange/tensor_exchange.h"
#include "worker/run/run_config.h"

namespace lacuna::worker {

// Reads `weights` (safetensors, published names) into the method of `config` and writes
// `run_directory`/checkpoints/step-00000000 and run.json. Modalities are those of BraTS. Throws
// ConfigError when the directory holds a run already, DataError when the weights do not fit.
methods::ImportReport import_checkpoint(const RunConfig& config,
                                        const std::filesystem::path& weights,
                                        const std::filesystem::path& run_directory);

}  // namespace lacuna::worker
