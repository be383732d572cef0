#include "experiments/sweep_resources.h"

#include <string>
#include <utility>
#include <vector>

namespace lacuna::experiments {
namespace {

Option text(const char* path, const char* fallback, const char* meaning,
            std::vector<std::string> allowed = {}) {
  Option option;
  option.path = path;
  option.type = Option::Type::kString;
  option.fallback = Json(fallback).dump();
  option.meaning = meaning;
  option.allowed = std::move(allowed);
  return option;
}

Option whole(const char* path, const char* fallback, const char* meaning, double minimum,
             double maximum) {
  Option option;
  option.path = path;
  option.type = Option::Type::kInteger;
  option.fallback = fallback;
  option.meaning = meaning;
  option.minimum = minimum;
  option.maximum = maximum;
  return option;
}

}  // namespace

std::vector<Option> resource_options() {
  std::vector<Option> options = {
      text("partition", "", "Partition of the cluster; empty: its default."),
      text("account", "", "Account that is charged; empty: yours."),
      text("constraint", "", "Features that nodes must have: h100&nvlink."),
      text("time", "", "Time limit of one start: 04:00:00; a run goes on after it."),
      text("memory", "", "Memory per node: 32G."),
      whole("nodes", "1", "Nodes of a run.", 1, 100'000),
      whole("ranks", "1", "Processes that train a run together.", 1, 100'000),
      whole("gpus_per_rank", "0", "GPUs of each.", 0, 64),
      whole("cpus_per_rank", "1", "Cores of each.", 1, 4096),
      whole("throttle", "0", "Runs at once; 0: no limit of ours.", 0, 1'000'000),
      whole("max_requeues", "20", "Starts of a run after its first.", 0, 100'000),
      whole("signal_seconds", "180", "Time to save before the time limit.", 60, 65'535),
      text("staging", "", "Directory of each node under which a run gets one of its own."),
      text("launcher", "auto", "What starts the ranks of a run.", {"auto", "srun", "mpirun"}),
  };
  Option extra;
  extra.path = "extra";
  extra.type = Option::Type::kStrings;
  extra.fallback = "[]";
  extra.meaning = "Further options of sbatch: --qos=high.";
  options.push_back(extra);
  return options;
}

SweepResources read_resources(const Json& section, const std::string& where) {
  static const Schema schema(resource_options());
  const Json all = schema.resolve(section, where);
  // A whole number may be written 1e2.
  const auto number = [&](const char* key) { return static_cast<int>(all.at(key).get<double>()); };
  SweepResources resources;
  resources.job.partition = all.at("partition");
  resources.job.account = all.at("account");
  resources.job.constraint = all.at("constraint");
  resources.job.time = all.at("time");
  resources.job.memory = all.at("memory");
  resources.job.nodes = number("nodes");
  resources.job.ranks = number("ranks");
  resources.job.gpus_per_rank = number("gpus_per_rank");
  resources.job.cpus_per_rank = number("cpus_per_rank");
  resources.job.extra = all.at("extra").get<std::vector<std::string>>();
  resources.throttle = number("throttle");
  resources.max_requeues = number("max_requeues");
  resources.signal_seconds = number("signal_seconds");
  resources.staging = all.at("staging");
  resources.launcher = all.at("launcher");
  return resources;
}

}  // namespace lacuna::experiments
