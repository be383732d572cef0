// Every figure that /metrics of a run shows. Boards, alerts and docs/monitoring.md use these names
// and no others (tested). docs/monitoring.md has the list for people.
//
// Naming: base units, `_total` for counters, times as Unix timestamps (an age would go stale with
// the series). Labels never hold a step, file, path, host directory, case or patient.
#pragma once

#include <array>

#include "base/metrics/metric.h"

namespace lacuna::metric {

inline constexpr auto kCounter = MetricKind::kCounter;
inline constexpr auto kGauge = MetricKind::kGauge;
inline constexpr auto kHistogram = MetricKind::kHistogram;

// What runs.
inline constexpr Metric kBuildInfo{"lacuna_build_info",
                                   kGauge,
                                   "",
                                   "Always 1; the labels say which build of the program runs.",
                                   false,
                                   {"version", "commit", "compiler"}};
inline constexpr Metric kRunInfo{
    "lacuna_run_info",
    kGauge,
    "",
    "Always 1; the labels say what the run is. Join it by `run` to name the others.",
    false,
    {"sweep", "method", "config_hash", "git", "slurm_job_id"}};
inline constexpr Metric kRankInfo{
    "lacuna_rank_info", kGauge, "", "Always 1; the host of a rank and whether it trains.", true,
    {"node", "role"}};
inline constexpr Metric kRanksExpected{"lacuna_ranks_expected", kGauge, "",
                                       "Ranks that the run was started with."};
inline constexpr Metric kRestarts{"lacuna_restarts_total", kCounter, "",
                                  "How often the run went on from a checkpoint, over its life."};

// Position.
inline constexpr Metric kRunStep{"lacuna_run_step", kGauge, "steps",
                                 "Steps done, over all starts."};
inline constexpr Metric kRunSteps{"lacuna_run_steps_planned", kGauge, "steps",
                                  "Steps of the whole run."};
inline constexpr Metric kTrainSteps{"lacuna_train_steps_total", kCounter, "steps",
                                    "Steps that the rank has done since its start.", true};
inline constexpr Metric kTrainSamples{"lacuna_train_samples_total", kCounter, "samples",
                                      "Samples that the rank has trained on since its start.",
                                      true};
inline constexpr Metric kSubsetDraws{"lacuna_subset_draws_total",
                                     kCounter,
                                     "samples",
                                     "Samples of the rank by the modalities they were given.",
                                     true,
                                     {"subset"}};

// Whether ranks live and get on.
inline constexpr Metric kHeartbeat{"lacuna_heartbeat_timestamp_seconds", kGauge, "seconds",
                                   "Unix time of the last heartbeat that rank 0 heard.", true};
inline constexpr Metric kProgress{
    "lacuna_progress_timestamp_seconds", kGauge, "seconds",
    "Unix time of the last sign of work: a change of activity, a case of a validation.", true};
inline constexpr Metric kActivity{"lacuna_rank_activity", kGauge, "",
                                  "What the rank does: 0 starting, 1 waiting for data, 2 "
                                  "computing, 3 waiting for rank, 4 updating, "
                                  "5 meta step, 6 validating, 7 saving, 8 idle, 9 finished.",
                                  true};

// Time.
inline constexpr Metric kStepTime{"lacuna_train_step_seconds", kHistogram, "seconds",
                                  "A whole step, without validation and saving.", true};
inline constexpr Metric kPhaseTime{
    "lacuna_step_seconds",
    kHistogram,
    "seconds",
    "Part of a step: data_wait, forward_backward, reduce (waiting for other ranks' gradients), "
    "optimizer, meta.",
    true,
    {"phase"}};
inline constexpr Metric kCollectiveTime{
    "lacuna_collective_seconds",
    kHistogram,
    "seconds",
    "Waiting for other ranks: sum (gradients, losses and flags), maximum, broadcast, gather; "
    "validation_rank: the time that trainers lose to its jobs.",
    true,
    {"op"}};

// Learning.
inline constexpr Metric kLoss{
    "lacuna_loss", kGauge,  "", "Newest logged loss of the global batch: part total and its parts.",
    false,         {"part"}};
inline constexpr Metric kGradNorm{
    "lacuna_grad_norm", kGauge, "", "Newest logged norm of the gradient before clipping.", false,
    {"group"}};
inline constexpr Metric kLearningRate{"lacuna_learning_rate",  kGauge, "",
                                      "Newest learning rate.", false,  {"group"}};
inline constexpr Metric kNonfinite{
    "lacuna_nonfinite_steps_total", kCounter, "steps",
    "Steps whose loss or gradient was not finite, so that nothing was updated."};
inline constexpr Metric kImportance{"lacuna_importance_weight",
                                    kGauge,
                                    "",
                                    "Newest importance weight that the method gives a modality.",
                                    false,
                                    {"modality"}};

// Validation.
inline constexpr Metric kEvalDice{"lacuna_eval_dice",
                                  kGauge,
                                  "ratio",
                                  "Mean Dice of the newest validation. NaN before the first.",
                                  false,
                                  {"region", "subset"}};
inline constexpr Metric kEvalHd95{
    "lacuna_eval_hd95_millimeters",
    kGauge,
    "millimeters",
    "Mean HD95 of the newest validation; NaN unless validate.hd95 asks for it.",
    false,
    {"region", "subset"}};
inline constexpr Metric kEvalScore{"lacuna_eval_score",
                                   kGauge,
                                   "ratio",
                                   "Mean Dice over subsets and regions: newest and best so far.",
                                   false,
                                   {"which"}};
inline constexpr Metric kEvalTime{"lacuna_eval_seconds", kGauge, "seconds",
                                  "How long the newest validation took."};
inline constexpr Metric kEvalStamp{
    "lacuna_eval_last_timestamp_seconds", kGauge, "seconds",
    "Unix time of the newest validation, or of the start when there was none since."};
inline constexpr Metric kEvalStep{"lacuna_eval_step", kGauge, "steps",
                                  "Step whose weights the newest validation judged."};
inline constexpr Metric kEvalPeriod{"lacuna_eval_period_steps", kGauge, "steps",
                                    "Steps between validations; 0: none."};
inline constexpr Metric kEvalBacklog{
    "lacuna_eval_backlog", kGauge, "",
    "Validations and phases on the meta set that are asked for and have not taken effect."};
inline constexpr Metric kStaleness{
    "lacuna_weights_staleness_steps", kGauge, "steps",
    "Steps done since the weights that the newest validation judged (or since the start)."};

// Checkpoints and disk.
inline constexpr Metric kSaved{
    "lacuna_checkpoint_last_success_timestamp_seconds", kGauge, "seconds",
    "Unix time of the newest durable checkpoint, or of the start when there was none since."};
inline constexpr Metric kSavedStep{"lacuna_checkpoint_step", kGauge, "steps",
                                   "Step of the newest durable checkpoint; 0: none."};
inline constexpr Metric kSaveTime{"lacuna_checkpoint_write_seconds", kHistogram, "seconds",
                                  "Writing one checkpoint, in the background."};
inline constexpr Metric kSaveFailures{"lacuna_checkpoint_failures_total", kCounter, "",
                                      "Checkpoints that could not be written."};
inline constexpr Metric kSaveIntervalSeconds{
    "lacuna_checkpoint_interval_seconds", kGauge, "seconds",
    "Time after which a checkpoint is due; 0: by steps only."};
inline constexpr Metric kSaveIntervalSteps{"lacuna_checkpoint_interval_steps", kGauge, "steps",
                                           "Steps after which a checkpoint is due; 0: by time."};
inline constexpr Metric kDiskFree{"lacuna_disk_free_bytes", kGauge, "bytes",
                                  "Free space of the file system of the run directory."};
inline constexpr Metric kDiskSize{"lacuna_disk_size_bytes", kGauge, "bytes",
                                  "Size of that file system."};

// Loading.
inline constexpr Metric kQueueDepth{"lacuna_loader_queue_depth", kGauge, "batches",
                                    "Whole batches that wait for the trainer.", true};
inline constexpr Metric kLoaderErrors{"lacuna_loader_errors_total", kCounter, "cases",
                                      "Cases that could not be read and were left out.", true};
inline constexpr Metric kCacheRead{"lacuna_cache_read_bytes_total", kCounter, "bytes",
                                   "Bytes of images and labels (before compression) that samples "
                                   "took from the cache.",
                                   true};

// Processes and GPUs.
inline constexpr Metric kResident{"lacuna_process_resident_bytes", kGauge, "bytes",
                                  "Memory of the rank's process.", true};
inline constexpr Metric kProcessor{"lacuna_process_cpu_seconds_total", kCounter, "seconds",
                                   "Processor time of the rank's process, all threads.", true};
inline constexpr Metric kThreads{"lacuna_process_threads", kGauge, "",
                                 "Threads of the rank's process.", true};
inline constexpr Metric kStarted{"lacuna_process_start_timestamp_seconds", kGauge, "seconds",
                                 "Unix time at which the rank started.", true};
inline constexpr Metric kGpuMemory{"lacuna_gpu_memory_bytes",
                                   kGauge,
                                   "bytes",
                                   "Memory of the rank's GPU: used and total.",
                                   true,
                                   {"kind"}};
inline constexpr Metric kGpuBusy{"lacuna_gpu_utilization_ratio", kGauge, "ratio",
                                 "Share of time in which the rank's GPU ran any kernel.", true};
inline constexpr Metric kGpuPower{"lacuna_gpu_power_watts", kGauge, "watts",
                                  "Power that the rank's GPU draws.", true};
inline constexpr Metric kGpuHeat{"lacuna_gpu_temperature_celsius", kGauge, "celsius",
                                 "Temperature of the rank's GPU.", true};

inline constexpr std::array kAll{&kBuildInfo,
                                 &kRunInfo,
                                 &kRankInfo,
                                 &kRanksExpected,
                                 &kRestarts,
                                 &kRunStep,
                                 &kRunSteps,
                                 &kTrainSteps,
                                 &kTrainSamples,
                                 &kSubsetDraws,
                                 &kHeartbeat,
                                 &kProgress,
                                 &kActivity,
                                 &kStepTime,
                                 &kPhaseTime,
                                 &kCollectiveTime,
                                 &kLoss,
                                 &kGradNorm,
                                 &kLearningRate,
                                 &kNonfinite,
                                 &kImportance,
                                 &kEvalDice,
                                 &kEvalHd95,
                                 &kEvalScore,
                                 &kEvalTime,
                                 &kEvalStamp,
                                 &kEvalStep,
                                 &kEvalPeriod,
                                 &kEvalBacklog,
                                 &kStaleness,
                                 &kSaved,
                                 &kSavedStep,
                                 &kSaveTime,
                                 &kSaveFailures,
                                 &kSaveIntervalSeconds,
                                 &kSaveIntervalSteps,
                                 &kDiskFree,
                                 &kDiskSize,
                                 &kQueueDepth,
                                 &kLoaderErrors,
                                 &kCacheRead,
                                 &kResident,
                                 &kProcessor,
                                 &kThreads,
                                 &kStarted,
                                 &kGpuMemory,
                                 &kGpuBusy,
                                 &kGpuPower,
                                 &kGpuHeat};

// nullptr when there is none of this name.
constexpr const Metric* find(std::string_view name) {
  for (const Metric* each : kAll) {
    if (each->name == name) return each;
  }
  return nullptr;
}

}  // namespace lacuna::metric
