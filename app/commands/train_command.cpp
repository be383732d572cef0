// lacuna train: trains a run, or goes on with one.
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "app/commands/train_trial.h"
#include "app/shared/command.h"
#include "app/shared/supervise.h"
#include "app/shared/tell_exception.h"
#include "app/shared/watched_training.h"
#include "base/process/signals.h"
#include "base/text/json.h"
#include "base/text/log.h"
#include "base/text/options.h"
#include "comm/choose.h"
#include "comm/local_peers.h"
#include "comm/mpi.h"
#include "coordinator/supervisor/end_note.h"
#include "coordinator/supervisor/leftovers.h"
#include "worker/run/run_check.h"
#include "worker/run/run_directory.h"
#include "worker/setup/device_setup.h"
#include "worker/trainer.h"

namespace lacuna::app {
namespace {

struct TrainArguments {
  std::string file, out;
  std::vector<std::string> settings;
  bool quiet = false;
  int ranks = 1, max_restarts = 3;
  std::string launcher = "auto", on_restart = "same";
  bool restarts_asked_for = false;  // --max-restarts or --on-restart stand there
  bool dry_run = false;
  std::string lr_range;
  std::int64_t lr_range_steps = 100;
  std::optional<std::int64_t> from_step;
};

// The run directory beside the run file when none is given: runs/<name of the file>.
std::filesystem::path run_directory(const TrainArguments& arguments) {
  if (!arguments.out.empty()) return arguments.out;
  const std::filesystem::path file(arguments.file);
  return file.parent_path() / "runs" / file.stem();
}

// Limits of MPI's own waiting, from the run's: `monitor.heartbeat_limit` says how long silence may
// last where it is heard.
comm::MpiLimits mpi_limits(const worker::RunConfig& config) {
  const double silent = config.resolved["monitor"]["heartbeat_limit"].get<double>();
  return {comm::Seconds(10 * silent), comm::Seconds(4 * silent)};
}

// As one of several ranks when a launcher started this process. A rank that fails leaves at once:
// the others may be waiting for it, and the launcher ends them.
worker::TrainingResult train_as_rank(const worker::RunConfig& config,
                                     const std::filesystem::path& directory,
                                     worker::TrainingHooks& hooks) {
  coordinator::end_with_launcher();
  worker::pin_libraries(config);
  const int rank = comm::launched_rank();
  const comm::MpiLimits limits = mpi_limits(config);
  // Where a rank that was asked to stop, or diverged, waits for one that hangs in MPI_Finalize, its
  // own code counts.
  ExitCode late = ExitCode::kPeerLost;
  comm::MpiSession mpi(limits, [&](const std::string& reason) {
    coordinator::leave_end_note(directory, rank, static_cast<int>(late), reason);
    comm::leave_process_with_words(reason, static_cast<int>(late));
  });
  coordinator::note_fatal_signals(directory, rank);  // MPI has set its own handlers by now
  comm::ChosenCommunicator chosen;
  const auto leave = [&](ExitCode code, const std::string& reason) {
    coordinator::leave_end_note(directory, rank, static_cast<int>(code), reason);
    if (chosen.ranks) chosen.ranks->abort();
    comm::MpiSession::abandon(static_cast<int>(code));
  };
  try {
    auto world = mpi.world();
    hooks.gpu = config.device == "cpu" ? -1 : comm::suggest_gpu(*world, limits.start);
    chosen = comm::choose_communicator(std::move(world),
                                       config.resolved["train"]["communicator"].get<std::string>(),
                                       hooks.gpu, config.hash, limits.start);
    if (hooks.gpu >= 0 && chosen.ranks->rank() == 0) log::info("{}", chosen.why);
    hooks.ranks = chosen.ranks.get();
    const worker::TrainingResult result = train_watched(config, directory, hooks);
    chosen.ranks.reset();
    if (result.code != ExitCode::kDone) late = result.code;
    mpi.end();
    coordinator::leave_end_note(directory, rank, static_cast<int>(result.code), "");
    return result;
  } catch (...) {
    const Told told = tell_exception();
    leave(told.code, told.text);
  }
  return {};  // not reached: leave() ends the process
}

// A process that the supervisor started as the only rank, or that nobody watches over.
worker::TrainingResult train_alone(const worker::RunConfig& config,
                                   const std::filesystem::path& directory,
                                   worker::TrainingHooks& hooks) {
  const bool supervised = std::getenv(coordinator::kRunIdVariable) != nullptr;
  if (!supervised) return train_watched(config, directory, hooks);
  coordinator::note_fatal_signals(directory, 0);
  try {
    const worker::TrainingResult result = train_watched(config, directory, hooks);
    coordinator::leave_end_note(directory, 0, static_cast<int>(result.code), "");
    return result;
  } catch (...) {
    const Told told = tell_exception();
    coordinator::leave_end_note(directory, 0, static_cast<int>(told.code), told.text);
    worker::TrainingResult failed;
    failed.code = told.code;
    return failed;
  }
}

// Whether this process starts ranks instead of training. Under a launcher it is a rank itself.
bool is_supervisor(const TrainArguments& arguments) {
  if (comm::launched_as_rank()) return false;
  if (arguments.launcher == "solo" && arguments.ranks > 1) {
    throw_error<ConfigError>("--launcher solo runs one process, --ranks asks for {}",
                             arguments.ranks);
  }
  if (std::getenv(coordinator::kRunIdVariable) != nullptr) return false;  // started by one
  return arguments.ranks > 1 || arguments.launcher == "mpirun" || arguments.launcher == "srun" ||
         arguments.restarts_asked_for;
}

RankedRun ranked_run(const TrainArguments& arguments, const worker::RunConfig& config,
                     const std::filesystem::path& directory) {
  RankedRun run;
  run.silent_seconds = config.resolved["monitor"]["heartbeat_limit"].get<double>();
  run.ranks = arguments.ranks;
  const bool one = arguments.ranks == 1 && arguments.launcher == "auto";
  run.launcher = coordinator::launcher_named(one ? "solo" : arguments.launcher);
  run.max_restarts = arguments.max_restarts;
  run.fewer_after_loss = arguments.on_restart == "fewer";
  run.run_directory = directory;
  run.arguments = {"train", arguments.file, "--out", directory.string()};
  for (const std::string& setting : arguments.settings) {
    run.arguments.insert(run.arguments.end(), {"--set", setting});
  }
  if (arguments.quiet) run.arguments.push_back("--quiet");
  return run;
}

ExitCode run(const TrainArguments& arguments) {
  if (arguments.dry_run || !arguments.lr_range.empty()) {
    const Trial trial{read_json(arguments.file), arguments.file, arguments.settings,
                      arguments.ranks};
    if (arguments.dry_run) {
      dry_run(trial);
    } else {
      learning_rate_range(trial, arguments.lr_range, arguments.lr_range_steps);
    }
    return ExitCode::kDone;
  }
  const worker::RunConfig config =
      worker::resolve_run(read_json(arguments.file), arguments.file, arguments.settings);
  const std::filesystem::path directory = run_directory(arguments);
  coordinator::sweep_scratch();
  if (arguments.from_step) {
    if (comm::launched_as_rank()) {
      throw_error<ConfigError>("--from-step is for the command that starts the ranks (--ranks)");
    }
    worker::check_before_start(config, directory);
    const int moved = worker::go_back_to(directory, *arguments.from_step);
    log::info("going on from step {}; {} later checkpoints are kept as step-*.later",
              *arguments.from_step, moved);
  }
  if (is_supervisor(arguments)) {
    worker::check_before_start(config, directory);
    return supervise(ranked_run(arguments, config, directory));
  }
  StopSignals signals;
  worker::TrainingHooks hooks;
  hooks.stop_requested = [&] { return signals.pending() != 0; };
  hooks.progress = !arguments.quiet;
  const worker::TrainingResult result = comm::launched_as_rank()
                                            ? train_as_rank(config, directory, hooks)
                                            : train_alone(config, directory, hooks);
  if (!arguments.quiet && result.writes && result.code == ExitCode::kDone) {
    fmt::print("trained {} steps", result.step);
    if (result.best_score) fmt::print(", best validation score {:.4f}", *result.best_score);
    fmt::print("\nNext: lacuna eval {}\n", directory.string());
  }
  return result.code;
}

}  // namespace

void add_train(CLI::App& program, ExitCode& code) {
  auto* command = program.add_subcommand("train", "Train a run, or go on with one");
  auto arguments = std::make_shared<TrainArguments>();
  command->add_option("run", arguments->file, "Run file (JSON)")->required();
  command->add_option("--set", arguments->settings, "Overrides a key: train.batch=4; may repeat")
      ->allow_extra_args(false);
  command->add_option("--out", arguments->out,
                      "Run directory; one that exists is resumed (default: runs/<run file>)");
  command->add_flag("--quiet", arguments->quiet, "No progress line");
  command->add_option("--ranks", arguments->ranks, "Processes that train together")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  command
      ->add_option("--launcher", arguments->launcher,
                   "What starts the ranks. auto: srun inside a SLURM job if it knows pmix, else "
                   "mpirun; one rank: this process")
      ->check(CLI::IsMember({"auto", "solo", "mpirun", "srun"}))
      ->capture_default_str();
  auto* max_restarts = command->add_option(
      "--max-restarts", arguments->max_restarts,
      "Restarts from the newest checkpoint after ranks were lost; one rank only if this is given");
  max_restarts->check(CLI::Range(0, 1000))->capture_default_str();
  auto* on_restart =
      command->add_option("--on-restart", arguments->on_restart,
                          "Restart with the same number of ranks, or with one fewer each time");
  on_restart->check(CLI::IsMember({"same", "fewer"}))->capture_default_str();
  auto* dry =
      command->add_flag("--dry-run", arguments->dry_run,
                        "Everything up to the first steps and a few of them; prints time and "
                        "memory, writes nothing");
  auto* range = command->add_option("--lr-range", arguments->lr_range,
                                    "Learning-rate range test: LOW:HIGH, as 1e-6:1; prints CSV");
  range->excludes(dry);
  command->add_option("--lr-range-steps", arguments->lr_range_steps, "Steps of that test")
      ->capture_default_str()
      ->needs(range);
  command
      ->add_option("--from-step", arguments->from_step,
                   "Go on from this earlier checkpoint; later ones are set aside, not lost")
      ->excludes(dry)
      ->excludes(range);
  command->footer(
      "Example: lacuna train run.json --out runs/first --set train.steps=2000\n"
      "         lacuna train run.json --out runs/second --ranks 4 --max-restarts 5\n"
      "SIGUSR2 and SIGTERM save and stop. Exit codes: 0 done, 1 error, 2 bad configuration, "
      "75 saved on request, 76 ranks were lost, 77 diverged, 79 held by another process.");
  command->callback([=, &code] {
    arguments->restarts_asked_for = max_restarts->count() + on_restart->count() > 0;
    code = run(*arguments);
  });
}

}  // namespace lacuna::app
