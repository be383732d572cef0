// The declaration of every configuration key of a run.
//
// A key that is added goes through added_later(): run directories and sweeps of programs that did
// not know it keep their identity as long as it is at its default.
#include "data/sampling/subset_policy.h"
#include "methods/registry.h"
#include "worker/run/run_config.h"

namespace lacuna::worker {
namespace {

using Type = Option::Type;

Option key(const char* path, Type type, const char* fallback, const char* meaning,
           const char* unit = "", double minimum = -1e300, double maximum = 1e300) {
  Option option;
  option.path = path;
  option.type = type;
  option.fallback = fallback;
  option.meaning = meaning;
  option.unit = unit;
  option.minimum = minimum;
  option.maximum = maximum;
  option.nullable = option.fallback == "null";
  return option;
}

Option word(const char* path, const char* fallback, std::vector<std::string> allowed,
            const char* meaning) {
  Option option = key(path, Type::kString, fallback, meaning);
  option.allowed = std::move(allowed);
  return option;
}

std::vector<Option> data_options() {
  return {
      key("data.cache", Type::kString, "\"\"", "Cache directory that `lacuna ingest` wrote."),
      key("data.split", Type::kString, "\"fold0\"", "Split of the cohort to train on."),
      key("data.patch", Type::kIntegers, "null",
          "Training crop D, H, W (or as `lacuna methods` says); null: the card's. Multiples that "
          "the network takes.",
          "voxels", 1),
      word("data.augment", "\"card\"", {"card", "none"},
           "Augmentation: as the method's card says, or none."),
      word("data.shard", "\"global\"", {"global", "local"},
           "global: any rank reads any training case; local: each rank owns some and draws from "
           "them, so results depend on the number of ranks."),
      word("data.shard_by", "\"bytes\"", {"bytes", "institution"},
           "How local shards are balanced: case by case, or by whole institutions."),
      key("data.stage", Type::kString, "\"\"",
          "Where a rank copies its local shard before training: a directory on node-local scratch, "
          "or memory; empty: nowhere."),
      key("data.loader_threads", Type::kInteger, "2", "Threads that prepare batches.", "threads", 1,
          256),
  };
}

std::vector<Option> train_options() {
  return {
      key("train.steps", Type::kInteger, "1000", "Updates of the whole run, over all stages.",
          "steps", 1, 1e12),
      key("train.batch", Type::kInteger, "1", "Samples per update.", "samples", 1, 65536),
      key("train.micro_batch", Type::kInteger, "0",
          "Samples per forward pass, accumulated to a batch; 0: the whole batch at once.",
          "samples", 0, 65536),
      word("train.precision", "\"fp32\"", {"fp32", "tf32", "bf16"},
           "Arithmetic of the forward pass: fp32 (never less, also where a GPU would round to TF32 "
           "by itself), tf32 (products of fp32 rounded to TF32 on a GPU that has it), or bf16 "
           "autocast."),
      key("train.seed", Type::kInteger, "1", "Decides weights, order, crops, subsets.", "", 0,
          9e15),
      word("train.mode", "\"exact\"", {"exact", "fast"},
           "exact: the same bits every time, or the run is refused; fast: the quickest kernels "
           "(differs on a GPU only)."),
      key("train.learning_rate", Type::kNumber, "null",
          "Learning rate of every group that is trained on training cases; null: the card's.", "",
          0),
      key("train.ema", Type::kNumber, "0",
          "Decay of the moving average of the weights that is evaluated; 0: none.", "per step", 0,
          0.999999),
      key("train.nonfinite_limit", Type::kInteger, "10",
          "Steps in a row with a loss that is not finite before the run counts as diverged.",
          "steps", 1, 1e6),
      word("train.gradient_compression", "\"none\"", {"none", "bf16"},
           "How gradients travel between ranks: as they are, or rounded to bfloat16."),
      word("train.device", "\"auto\"", {"auto", "cpu", "cuda"}, "Where to compute."),
      word("train.layout", "\"auto\"", {"auto", "contiguous", "channels_last"},
           "Memory layout of images and convolution weights; auto: channels_last for bf16, and "
           "on a CPU for methods that are faster so."),
      word("train.communicator", "\"auto\"", {"auto", "mpi", "nccl"},
           "What carries gradients between ranks on GPUs; auto: nccl where every rank has one of "
           "its own, else mpi."),
      key("train.threads", Type::kInteger, "0", "Threads of tensor operations; 0: one per core.",
          "threads", 0, 1024),
      added_later(key("train.overfit", Type::kInteger, "0",
                      "Train and validate on this many training cases, the first of the part: does "
                      "it learn at all? 0: on the parts as they are.",
                      "cases", 0, 1e6)),
      key("train.max_seconds", Type::kNumber, "0",
          "Time after which this start saves and stops as on request (exit code 75); the same "
          "command goes on. 0: no limit.",
          "seconds", 0, 1e9),
      key("train.profile", Type::kIntegers, "null",
          "First and last step that are traced, as [20, 24]: profile/rank-N.json in the run "
          "directory, for chrome://tracing or Perfetto. null: none.",
          "steps", 1),
  };
}

std::vector<Option> other_options() {
  return {
      key("init.weights", Type::kString, "\"\"",
          "Weights to start from: a run directory (its best checkpoint), a checkpoint, or a "
          "safetensors file. Tensors of equal name and shape are taken, the others are new; empty: "
          "all are."),
      added_later(key("init.identity", Type::kString, "\"\"",
                      "What they are, by content; filled in when left out. Decides the result, "
                      "where they lie does not.")),
      added_later(key("init.only", Type::kStrings, "[]",
                      "Beginnings of the names of the tensors that are taken from init.weights, as "
                      "[\"teacher.\"]; the others are new, as without it. Empty: all that fit.")),
      key("meta.period", Type::kInteger, "null",
          "Steps between runs of a phase on the meta set; null: the card's.", "steps", 1, 1e12),
      key("meta.repeats", Type::kInteger, "null",
          "Updates per run of a phase on the meta set; null: the card's.", "updates", 1, 1e6),
      word(
          "meta.rank", "\"shared\"", {"shared", "dedicated"},
          "dedicated: the last of several ranks does not train but runs phases on the meta set and "
          "validations; shared: the trainers do."),
      word(
          "meta.mode", "\"sync\"", {"sync", "async"},
          "When the result of a phase on the meta set takes effect: in its step, or meta.lag steps "
          "later, so that nobody waits for it."),
      key("meta.lag", Type::kInteger, "10",
          "Steps from the weights that are used to the effect of the result of a phase in mode "
          "async.",
          "steps", 1, 1e9),
      key("validate.every", Type::kInteger, "null",
          "Steps between validations over all subsets; null: a tenth of the run; 0: none.", "steps",
          0, 1e12),
      key("validate.lag", Type::kInteger, "null",
          "Steps after which the score of a validation on a dedicated rank counts; null: "
          "validate.every, which is the most. Decides when the best step is known, not which.",
          "steps", 1, 1e12),
      key("validate.cases", Type::kInteger, "20", "Validation cases that are scored.", "cases", 1,
          1e6),
      added_later(key("validate.patience", Type::kInteger, "0",
                      "Validations in a row without a better score after which the run ends well, "
                      "before train.steps; 0: never.",
                      "validations", 0, 1e6)),
      key("validate.hd95", Type::kBool, "false",
          "Whether validations measure HD95 as well, which takes longer than Dice; `lacuna eval` "
          "always does."),
      key("checkpoint.every_steps", Type::kInteger, "1000",
          "Steps between checkpoints; 0: by time only.", "steps", 0, 1e12),
      key("checkpoint.every_seconds", Type::kInteger, "900",
          "Time between checkpoints; 0: by steps only.", "seconds", 0, 1e9),
      key("checkpoint.keep", Type::kInteger, "3",
          "Newest checkpoints that are kept, besides the best; one alone could be torn.",
          "checkpoints", 2, 1000),
      key("checkpoint.keep_every", Type::kInteger, "0",
          "Checkpoints whose step is a multiple of this stay for ever, besides the newest; 0: none "
          "do.",
          "steps", 0, 1e12),
      key("log.every", Type::kInteger, "10", "Steps between lines of metrics.jsonl.", "steps", 1,
          1e9),
  };
}

std::vector<Option> monitor_options() {
  return {
      key("monitor.enabled", Type::kBool, "true",
          "Status server, heartbeats, and the watch that names a lost rank."),
      key("monitor.bind", Type::kString, "\"auto\"",
          "Address of the status server; auto: loopback, or with ranks on several hosts the "
          "address of rank 0 in the network that they share."),
      key("monitor.port", Type::kInteger, "0", "Port of the status server; 0: any free one.", "", 0,
          65535),
      key("monitor.heartbeat_seconds", Type::kNumber, "1", "Time between heartbeats of a rank.",
          "seconds", 0.01, 3600),
      key("monitor.heartbeat_limit", Type::kNumber, "30",
          "Silence after which a rank counts as lost: killed, stopped or cut off.", "seconds", 0.03,
          1e6),
      key("monitor.metrics", Type::kBool, "true",
          "GET /metrics of the run, for Prometheus (docs/monitoring.md); needs monitor.enabled."),
      key("monitor.metrics_bind", Type::kString, "\"auto\"",
          "Address of /metrics; auto: that of the status server, and beyond loopback a token is "
          "asked for. An address that is given here, as 0.0.0.0, needs none."),
      key("monitor.metrics_port", Type::kInteger, "0", "Port of /metrics; 0: any free one.", "", 0,
          65535),
      key("monitor.metrics_targets", Type::kString, "\"\"",
          "Directory for the file that tells Prometheus (file_sd) where /metrics is; empty: none "
          "is "
          "written."),
      key("monitor.tensorboard", Type::kBool, "false",
          "Write the curves of metrics.jsonl for TensorBoard as well, into tensorboard/ of the run "
          "directory; `lacuna export tensorboard` does it afterwards."),
      key("monitor.stall_limit", Type::kNumber, "600",
          "Time without progress after which a rank counts as stuck (at least 20 median steps; "
          "three times as long at the start, in a validation and in a save); 0: never.",
          "seconds", 0, 1e9),
  };
}

void append(std::vector<Option>& to, std::vector<Option> more, const std::string& prefix = "") {
  for (Option& option : more) {
    option.path = prefix + option.path;
    to.push_back(std::move(option));
  }
}

}  // namespace

std::vector<Option> run_options(const std::string& method) {
  const methods::MethodEntry& entry = methods::find_method(method);
  std::vector<Option> options;
  options.push_back(key("method", Type::kString, "\"\"", "Method to train: `lacuna methods`."));
  options.back().fallback = Json(method).dump();
  append(options, data_options());
  append(options, data::subset_options(), "subsets.");
  options.push_back(key("model.width", Type::kNumber, "1.0",
                        "Factor on the channels of every network; 1: the card's.", "", 1e-3, 16));
  append(options, train_options());
  append(options, entry.options, "method_options.");
  append(options, other_options());
  append(options, monitor_options());

  // What the card says about the run's own keys takes the place of the general default.
  const Json card = entry.run_defaults.empty() ? Json::object() : Json::parse(entry.run_defaults);
  for (Option& option : options) {
    if (const Json* value = find_path(card, option.path)) option.fallback = value->dump();
  }
  return options;
}

}  // namespace lacuna::worker
