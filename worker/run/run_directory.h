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

// Makes the checkpoint of `step` the one that a run goes on from: those of later steps are renamed
// to step-NNNNNNNN.later, which nothing reads and nothing deletes, and their number is returned.
// Throws ConfigError naming the steps that there are, DataError when the checkpoint is damaged or
// another process has the run.
int go_back_to(const std::filesystem::path& run, std::int64_t step);

}  // namespace lacuna::worker
