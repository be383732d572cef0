#include "app/shared/supervise.h"

#include <algorithm>

#include <poll.h>

#include "base/text/log.h"
#include "coordinator/supervisor/supervisor.h"
#include "worker/state/checkpoint_store.h"

namespace lacuna::app {
namespace {

std::int64_t newest_step(const std::filesystem::path& run_directory) {
  const worker::CheckpointStore store(posix_file_system(), run_directory / "checkpoints",
                                      /*keep=*/1);
  const auto newest = store.newest_valid([](const Path& path, const std::string& reason) {
    log::warn("{}: not valid: {}", path.string(), reason);
  });
  return newest.value_or(-1);
}

// Ends early when a signal arrives, unlike the standard library's sleep.
void sleep_seconds(double seconds) {
  ::poll(nullptr, 0, static_cast<int>(1000 * std::min(seconds, 3600.0)) + 1);
}

}  // namespace

ExitCode supervise(const RankedRun& run) {
  const coordinator::LaunchFacts facts = coordinator::gather_launch_facts();
  coordinator::LaunchRequest request;
  request.launcher = run.launcher;
  request.program = {std::filesystem::read_symlink("/proc/self/exe").string()};
  request.program.insert(request.program.end(), run.arguments.begin(), run.arguments.end());

  const StopSignals signals;
  coordinator::SupervisorOptions options;
  options.ranks = run.ranks;
  options.max_restarts = run.max_restarts;
  options.stopped_seconds = 2 * run.silent_seconds;
  coordinator::SupervisorParts parts;
  parts.launch = [&](const coordinator::Attempt& attempt) {
    request.ranks = attempt.ranks;
    request.environment = attempt.environment;
    request.scratch = attempt.scratch;
    const coordinator::LaunchPlan plan = coordinator::plan_launch(request, facts);
    log::info("ranks: {}, through {} ({})", attempt.ranks, plan.launcher, plan.reason);
    if (!plan.warning.empty()) log::warn("{}", plan.warning);
    return ChildOptions{plan.command, plan.environment};
  };
  parts.newest_step = [&] { return newest_step(run.run_directory); };
  parts.ranks_after_loss = [&](int ranks) {
    return run.fewer_after_loss ? std::max(1, ranks - 1) : ranks;
  };
  parts.sleep = sleep_seconds;
  parts.signals = &signals;
  parts.clock = &steady_clock();
  return coordinator::Supervisor(run.run_directory, options, std::move(parts)).run();
}

}  // namespace lacuna::app
