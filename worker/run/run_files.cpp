#include "worker/run/run_files.h"

#include <ATen/Parallel.h>
#include <fmt/ranges.h>
#include <torch/version.h>

#include "base/error.h"
#include "base/files/file_system.h"
#include "base/metrics/line_scalars.h"
#include "base/process/build_info.h"
#include "base/process/host.h"
#include "base/text/log.h"
#include "base/text/options.h"
#include "worker/run/run_check.h"

namespace lacuna::worker {
namespace {

std::string utc_now() { return utc_text(steady_clock().unix_seconds()); }

}  // namespace

Json provenance() {
  const BuildInfo& build = build_info();
  return {{"started", utc_now()},
          {"host", host_name()},
          {"lacuna", build.version},
          {"commit", build.commit},
          {"compiler", build.compiler},
          {"torch", TORCH_VERSION},
          {"threads", at::get_num_threads()}};
}

RunFiles::RunFiles(const RunConfig& config, std::filesystem::path directory, int rank,
                   Publish publish)
    : directory_(std::move(directory)),
      tensorboard_(config.tensorboard),
      publish_(std::move(publish)) {
  const std::string log = (directory_ / "log" / fmt::format("rank-{}.log", rank)).string();
  if (rank > 0) {
    log::add_file(log);
    return;
  }
  FileSystem& files = posix_file_system();
  // Before anything is written: a wrong directory stays as it was.
  check_same_run(config, directory_);
  files.make_directories(directory_ / "log");
  files.make_directories(checkpoints());
  lease_ = std::make_unique<Lease>(directory_);
  log::add_file(log);
  events_ = std::make_unique<JsonLines>(directory_ / "events.jsonl");
}

void RunFiles::settle(const RunConfig& config, const Json& cohort) {
  if (!lease_) return;
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
  check_same_run(config, directory_);
  const Json* there = find_path(run, std::string(kProvenanceKey) + ".cohort.fingerprint");
  if (there && *there != cohort.at("fingerprint")) {
    throw_error<ConfigError>(
        "{}: the run was started on a cohort with fingerprint {}, {} has {}. "
        "Give it the data that it was started with, or choose another --out.",
        path.string(), there->dump(), config.cache.string(), cohort.at("fingerprint").dump());
  }
}

void RunFiles::store_seen_cases(const Json& cases) {
  const auto path = directory_ / "cases.json";
  if (!lease_ || posix_file_system().exists(path)) return;
  write_durably(posix_file_system(), path, cases.dump(1) + "\n");
}

void RunFiles::store_shard_plan(const Json& plan) {
  if (!lease_) return;
  const auto path = directory_ / "shard_plan.json";
  FileSystem& files = posix_file_system();
  if (files.exists(path) && plan.at("shard") == "local") {
    const std::size_t before = read_json(path).at("ranks").size(), now = plan.at("ranks").size();
    if (before != now) {
      log::warn(
          "the run goes on with {} ranks after {}: with data.shard local each rank draws from "
          "other "
          "cases than before, so results differ from those of either number",
          now, before);
      event("shards_changed", 0, {{"before", before}, {"now", now}});
    }
  }
  write_durably(files, path, plan.dump(2) + "\n");
}

void RunFiles::open_metrics(std::int64_t step) {
  if (!lease_) return;
  metrics_ = std::make_unique<JsonLines>(directory_ / "metrics.jsonl", step);
  if (tensorboard_) open_curves(step);
}

// A file per start; what the ones before say of later steps is taken back.
void RunFiles::open_curves(std::int64_t step) {
  const auto directory = directory_ / "tensorboard";
  posix_file_system().make_directories(directory);
  const double now = steady_clock().unix_seconds();
  auto path = directory / event_file_name(now, host_name());
  for (int more = 1; posix_file_system().exists(path); ++more) {  // two starts within a second
    path = directory / fmt::format("{}.{}", event_file_name(now, host_name()), more);
  }
  curves_ = std::make_unique<EventFile>(path, now);
  if (step > 0) curves_->restart(now, step + 1);
}

void RunFiles::metrics(const Json& line) {
  if (!metrics_) return;
  metrics_->append(line);
  if (curves_) {
    const double now = steady_clock().unix_seconds();
    for (const ScalarsAtStep& at : line_scalars(line)) curves_->scalars(now, at.step, at.values);
  }
  publish("metrics", line);
}

void RunFiles::sync_metrics() {
  if (metrics_) metrics_->sync();
}

void RunFiles::event(const std::string& kind, std::int64_t step, Json detail) {
  if (!events_) return;
  detail["time"] = utc_now();
  detail["event"] = kind;
  detail["step"] = step;
  events_->append(detail);
  publish("event", detail);
}

void RunFiles::require_lease() const {
  if (!lease_ || !lease_->lost()) return;
  throw_error<Error>("another process has taken over the run directory: this one stops");
}

void RunFiles::publish(const std::string& kind, const Json& line) {
  if (!publish_) return;
  const std::lock_guard lock(publishing_);
  publish_(kind, line);
}

}  // namespace lacuna::worker
