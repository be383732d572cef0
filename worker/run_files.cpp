#include "worker/run_files.h"

#include <chrono>

#include <ATen/Parallel.h>
#include <fmt/chrono.h>
#include <fmt/ranges.h>
#include <torch/version.h>
#include <unistd.h>

#include "base/build_info.h"
#include "base/error.h"
#include "base/file_system.h"
#include "base/log.h"

namespace lacuna::worker {
namespace {

std::string utc_now() {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}",
                     std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()));
}

void check_same_run(const RunConfig& config, const std::filesystem::path& run_file) {
  const auto differences = differing_keys(read_json(run_file), config.resolved);
  if (differences.empty()) return;
  throw_error<ConfigError>(
      "{}: the directory holds another run (key: there, here): {}. Choose "
      "another --out, or give the run its own keys.",
      run_file.parent_path().string(), fmt::join(differences, "; "));
}

}  // namespace

Json provenance() {
  char host[256] = "";
  ::gethostname(host, sizeof host - 1);
  const BuildInfo& build = build_info();
  return {{"started", utc_now()},
          {"host", host},
          {"lacuna", build.version},
          {"commit", build.commit},
          {"compiler", build.compiler},
          {"torch", TORCH_VERSION},
          {"threads", at::get_num_threads()}};
}

RunFiles::RunFiles(const RunConfig& config, std::filesystem::path directory)
    : directory_(std::move(directory)) {
  FileSystem& files = posix_file_system();
  // Before anything is written: a wrong directory stays as it was.
  if (files.exists(directory_ / "run.json")) check_same_run(config, directory_ / "run.json");
  files.make_directories(directory_ / "log");
  files.make_directories(checkpoints());
  lease_ = std::make_unique<Lease>(directory_);
  log::add_file((directory_ / "log" / "rank-0.log").string());
  events_ = std::make_unique<JsonLines>(directory_ / "events.jsonl");
}

void RunFiles::settle(const RunConfig& config, const Json& cohort) {
  const auto path = directory_ / "run.json";
  if (!posix_file_system().exists(path)) {
    Json run = config.resolved;
    run[kProvenanceKey] = provenance();
    run[kProvenanceKey]["cohort"] = cohort;
    run[kProvenanceKey]["hash"] = config.hash;
    write_durably(posix_file_system(), path, run.dump(2) + "\n");
    return;
  }
  const Json run = read_json(path);
  check_same_run(config, path);
  const Json* there = find_path(run, std::string(kProvenanceKey) + ".cohort.fingerprint");
  if (there && *there != cohort.at("fingerprint")) {
    throw_error<ConfigError>(
        "{}: the run was started on a cohort with fingerprint {}, {} has {}. "
        "Give it the data that it was started with, or choose another --out.",
        path.string(), there->dump(), config.cache.string(), cohort.at("fingerprint").dump());
  }
}

JsonLines& RunFiles::open_metrics(std::int64_t step) {
  metrics_ = std::make_unique<JsonLines>(directory_ / "metrics.jsonl", step);
  return *metrics_;
}

void RunFiles::event(const std::string& kind, std::int64_t step, Json detail) {
  detail["time"] = utc_now();
  detail["event"] = kind;
  detail["step"] = step;
  events_->append(detail);
}

}  // namespace lacuna::worker
