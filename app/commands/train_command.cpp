// lacuna train: trains a run, or goes on with one.
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "app/shared/command.h"
#include "app/shared/supervise.h"
#include "app/shared/watched_training.h"
#include "base/process/signals.h"
#include "base/text/json.h"
#include "base/text/log.h"
#include "base/text/options.h"
#include "comm/choose.h"
#include "comm/mpi.h"
#include "worker/run/run_check.h"
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
};

// The run directory beside the run file when none is given: runs/<name of the file>.
std::filesystem::path run_directory(const TrainArguments& arguments) {
  if (!arguments.out.empty()) return arguments.out;
  const std::filesystem::path file(arguments.file);
  return file.parent_path() / "runs" / file.stem();
}

// As one of several ranks when a launcher started this process. A rank that fails leaves at once:
// the others may be waiting for it, and the launcher ends them.
worker::TrainingResult train(const worker::RunConfig& config,
                             const std::filesystem::path& directory, worker::TrainingHooks& hooks) {
  if (!comm::launched_as_rank()) return train_watched(config, directory, hooks);
  coordinator::end_with_launcher();
  worker::pin_libraries(config);
  comm::MpiSession mpi;
  comm::ChosenCommunicator chosen;
  const auto leave = [&](ExitCode code) {
    if (chosen.ranks) chosen.ranks->abort();
    comm::MpiSession::abandon(static_cast<int>(code));
  };
  try {
    auto world = mpi.world();
    hooks.gpu = config.device == "cpu" ? -1 : comm::suggest_gpu(*world);
    chosen = comm::choose_communicator(std::move(world),
                                       config.resolved["train"]["communicator"].get<std::string>(),
                                       hooks.gpu, config.hash);
    if (hooks.gpu >= 0 && chosen.ranks->rank() == 0) log::info("{}", chosen.why);
    hooks.ranks = chosen.ranks.get();
    return train_watched(config, directory, hooks);
  } catch (const Error& error) {
    log::error("{}", error.what());
    leave(error.code());
  } catch (const std::exception& error) {
    log::error("unexpected: {}", error.what());
    leave(ExitCode::kError);
  }
  return {};  // not reached: leave() ends the process
}

// Whether this process starts ranks instead of training. Under a launcher it is a rank itself.
bool is_supervisor(const TrainArguments& arguments) {
  if (comm::launched_as_rank()) return false;
  if (arguments.launcher == "solo" && arguments.ranks > 1) {
    throw_error<ConfigError>("--launcher solo runs one process, --ranks asks for {}",
                             arguments.ranks);
  }
  return arguments.ranks > 1 || arguments.launcher == "mpirun" || arguments.launcher == "srun";
}

RankedRun ranked_run(const TrainArguments& arguments, const std::filesystem::path& directory) {
  RankedRun run;
  run.ranks = arguments.ranks;
  run.launcher = coordinator::launcher_named(arguments.launcher);
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
  const worker::RunConfig config =
      worker::resolve_run(read_json(arguments.file), arguments.file, arguments.settings);
  const std::filesystem::path directory = run_directory(arguments);
  if (is_supervisor(arguments)) {
    worker::check_before_start(config, directory);
    return supervise(ranked_run(arguments, directory));
  }
  StopSignals signals;
  worker::TrainingHooks hooks;
  hooks.stop_requested = [&] { return signals.pending() != 0; };
  hooks.progress = !arguments.quiet;
  const worker::TrainingResult result = train(config, directory, hooks);
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
  command
      ->add_option("--max-restarts", arguments->max_restarts,
                   "Restarts from the newest checkpoint after ranks were lost")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
  command
      ->add_option("--on-restart", arguments->on_restart,
                   "Restart with the same number of ranks, or with one fewer each time")
      ->check(CLI::IsMember({"same", "fewer"}))
      ->capture_default_str();
  command->footer(
      "Example: lacuna train run.json --out runs/first --set train.steps=2000\n"
      "         lacuna train run.json --out runs/second --ranks 4 --max-restarts 5\n"
      "SIGUSR2 and SIGTERM save and stop. Exit codes: 0 done, 1 error, 2 bad configuration, "
      "75 saved on request, 76 ranks were lost, 77 diverged.");
  command->callback([arguments, &code] { code = run(*arguments); });
}

}  // namespace lacuna::app
