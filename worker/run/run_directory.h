// Reading a finished or running run directory, or a single checkpoint: what eval, predict, report
// and inspect start from.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "data/cache/cohort.h"
#include "methods/method.h"
#include "worker/run/run_config.h"

namespace lacuna::worker {

struct LoadedModel {
  RunConfig config;
  data::ModalitySet modalities{{"FLAIR", "T1", "T1c", "T2"}};  // that it was trained for
  std::unique_ptr<methods::Method> method;  // weights loaded (EMA weights when the run keeps them)
  std::optional<data::Grid> grid;  // of the cohort that it was trained on; none before there were
  std::filesystem::path checkpoint;
  std::int64_t step = 0;
};

// The checkpoint that load_model() takes. Throws DataError.
std::filesystem::path evaluated_checkpoint(const std::filesystem::path& path);

// `path`: a run directory (its best checkpoint, else the newest valid one) or a checkpoint
// directory inside one. Throws DataError naming what is missing and what was tried.
LoadedModel load_model(const std::filesystem::path& path);

}  // namespace lacuna::worker
