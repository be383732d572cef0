// The configuration of a run, resolved: what run.json in a run directory holds.
//
// Keys, defaults, meanings and units are declared once, in run_config.cpp; `lacuna config` and
// docs/configuration.md are made from that declaration. Defaults that depend on the method come
// from its entry (methods/registry.h). Value type.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/text/json.h"
#include "base/text/options.h"
#include "data/cache/cohort.h"
#include "data/types/recipe.h"

namespace lacuna::worker {

struct RunConfig {
  Json resolved;     // every key, as written to run.json
  std::string hash;  // 16 hex digits: XXH3 of what decides the result (not log, monitor, threads)

  std::string method;
  Json method_options;
  double width = 1;

  std::filesystem::path cache;
  std::string split = "fold0";
  std::optional<data::Extent> patch;   // null: the method's
  std::optional<std::string> augment;  // "card", "none"
  std::optional<Json> subsets;         // null: the stage's own policy
  int loader_threads = 2;
  std::string shard = "global", shard_by = "bytes", stage;

  std::int64_t steps = 1, batch = 1, micro_batch = 0;
  std::uint64_t seed = 1;
  std::string precision = "fp32", mode = "exact", device = "auto", layout = "auto";
  bool bf16_gradients = false;          // between ranks
  std::optional<double> learning_rate;  // null: the card's, per group
  double ema = 0;                       // decay; 0 = off
  std::filesystem::path init_weights;   // empty: new ones
  std::string init_identity;            // what they are (worker/run/initial_weights.h)
  std::vector<std::string> init_only;   // beginnings of the names that are taken; empty: all
  std::int64_t nonfinite_limit = 10;    // skipped steps in a row before the run has diverged
  int threads = 0;                      // 0: as many as cores
  int overfit = 0;                      // training cases that are all there is; 0: off
  double max_seconds = 0;               // of this start; 0: no limit
  std::optional<std::pair<std::int64_t, std::int64_t>> profile;  // first and last step traced

  std::optional<std::int64_t> meta_period, meta_repeats;
  bool meta_dedicated = false;  // a validation rank, when there are several ranks
  bool meta_async = false;
  std::int64_t meta_lag = 10;

  std::int64_t validate_every = 0, validate_cases = 0;
  std::optional<std::int64_t> validate_lag;  // null: validate_every
  std::int64_t validate_patience = 0;        // validations without a better score; 0: never ends
  std::int64_t checkpoint_steps = 0, checkpoint_seconds = 0;
  int checkpoint_keep = 3;
  std::int64_t checkpoint_keep_every = 0;  // steps whose multiples stay; 0: none
  std::int64_t log_every = 10;
  bool tensorboard = false;  // monitor.tensorboard
};

// Resolves a user's run object with settings ("train.batch=4") that override it. `where` (the file)
// opens each message. Throws ConfigError.
RunConfig resolve_run(const Json& user, const std::string& where,
                      const std::vector<std::string>& settings = {});
// A run that some program, perhaps an older one, has resolved and saved (state.json): keys that it
// did not know mean what it did. resolve_run() takes a run.json, with its provenance, in this way.
RunConfig resolve_saved_run(const Json& saved, const std::string& where);

// The declaration itself, for a method: `lacuna config` prints it. The fallbacks are the method's.
std::vector<Option> run_options(const std::string& method);

// Section of run.json that is no configuration: versions, host, cohort. Ignored by resolve_run().
inline constexpr const char* kProvenanceKey = "provenance";

// The keys that decide the result, flat: "train.batch" -> 2. Without those at their `absent` value
// (base/text/options.h), so that a run has one identity in every program that can compute it.
Json deciding_keys(const Json& resolved);
// "train.batch: 2, 4" for each deciding key that differs; empty when the runs are the same.
std::vector<std::string> differing_keys(const Json& one, const Json& other);

}  // namespace lacuna::worker
