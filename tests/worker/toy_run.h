// A cohort of phantoms and a run of the toy method on it, for tests of the trainer.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/files/temporary_directory.h"
#include "base/text/json.h"
#include "data/ingest/ingest.h"
#include "data/phantom/phantom.h"
#include "tests/worker/toy_method.h"
#include "worker/trainer.h"

namespace lacuna::worker {

inline std::filesystem::path make_toy_cache(const TemporaryDirectory& folder,
                                            const std::string& profile) {
  data::PhantomOptions phantom;
  phantom.cases = 8;
  phantom.extent = {20, 24, 24};
  phantom.profile = profile;
  Progress quiet("phantom", "cases", phantom.cases, ProgressStyle::kQuiet);
  data::write_phantom(posix_file_system(), folder / "in", phantom, quiet);
  data::IngestOptions ingest;
  ingest.input = folder / "in";
  ingest.output = folder / "cache";
  std::vector<std::string> ids;
  for (const auto& info : data::ingest(ingest, posix_file_system()).cohort.cases) {
    ids.push_back(info.id);
  }
  const Json split = {{"train", {ids[0], ids[1], ids[2], ids[3]}},
                      {"validation", {ids[4], ids[5], ids[6]}},
                      {"meta", {ids[7]}}};
  std::ofstream(folder / "splits.json") << Json{{"toy", split}}.dump();
  ingest.splits_file = folder / "splits.json";
  data::ingest(ingest, posix_file_system());
  return ingest.output;
}

// Eight cases of 20 x 24 x 24 voxels: four to train, three to validate, one for the meta phase.
inline const std::filesystem::path& toy_cache() {
  static const TemporaryDirectory folder;
  static const std::filesystem::path cache = make_toy_cache(folder, "brats2021");
  return cache;
}

// Steps 0..5 are stage "full" with meta phases at 0 and 3; 6..11 "random" with one at 8.
inline RunConfig toy_config(const std::filesystem::path& cache) {
  RunConfig config;
  config.method = "toy";
  config.layout = "contiguous";  // auto asks the registry, which does not know the toy
  config.cache = cache;
  config.split = "toy";
  config.steps = 12;
  config.batch = 2;
  config.seed = 5;
  config.ema = 0.8;
  config.device = "cpu";
  config.layout = "contiguous";
  config.threads = 1;
  config.loader_threads = 1;
  config.nonfinite_limit = 3;
  config.validate_every = 5;
  config.validate_cases = 1;
  config.checkpoint_steps = 3;
  config.checkpoint_keep = 2;
  config.log_every = 2;
  config.resolved = {{"method", "toy"}, {"train", {{"steps", 12}, {"batch", 2}, {"seed", 5}}}};
  config.hash = "toy";
  return config;
}

inline TrainingHooks toy_hooks(std::function<void(ToyMethod&)> prepare = nullptr) {
  TrainingHooks hooks;
  hooks.progress = false;
  hooks.make_method = [prepare](const data::Cohort&) {
    auto method = std::make_unique<ToyMethod>();
    if (prepare) prepare(*method);
    return method;
  };
  return hooks;
}

inline std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::vector<Json> lines_of(const std::filesystem::path& path) {
  std::vector<Json> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(Json::parse(line));
  return lines;
}

inline int count_events(const std::filesystem::path& run, const std::string& kind) {
  int count = 0;
  for (const Json& line : lines_of(run / "events.jsonl")) count += line.at("event") == kind;
  return count;
}

// metrics.jsonl without what depends on time and machine.
inline std::vector<Json> timeless_metrics(const std::filesystem::path& run) {
  std::vector<Json> lines = lines_of(run / "metrics.jsonl");
  for (Json& line : lines) {
    for (const char* key :
         {"samples_per_second", "seconds", "peak_memory_bytes", "checkpoint_failures"}) {
      line.erase(key);
    }
    if (line.contains("validation")) line["validation"].erase("seconds");
  }
  return lines;
}

}  // namespace lacuna::worker
