#include "coordinator/supervisor/supervisor.h"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "base/files/hash.h"
#include "base/text/log.h"
#include "coordinator/supervisor/rank_report.h"

namespace lacuna::coordinator {
namespace {

constexpr double kLookSeconds = 0.1;    // between two looks at signals and at what ranks print
constexpr double kLongestBackOff = 60;  // seconds
constexpr int kLossesWithoutProgress = 2;
constexpr std::size_t kKeptText = 1 << 17;  // of the launcher's messages: its reports come last

std::string reason_of(int code, const std::string& launcher) {
  if (code <= 128) return fmt::format("{} ended with exit code {}", launcher, code);
  return fmt::format("{} was killed by signal {} ({}), or told so of a rank", launcher, code - 128,
                     strsignal(code - 128));
}

}  // namespace

std::string run_id(const Path& run_directory) {
  return hash_hex(std::filesystem::weakly_canonical(run_directory).string());
}

Supervisor::Supervisor(const Path& run_directory, const SupervisorOptions& options,
                       SupervisorParts parts)
    : options_(options),
      parts_(std::move(parts)),
      log_(run_directory, *parts_.clock),
      run_id_(run_id(run_directory)),
      // The processes first: they may still use what lies there.
      scratch_((end_processes_of(run_id_, 0), run_id_)),
      ranks_(options.ranks) {}

ExitCode Supervisor::run() {
  std::int64_t step = parts_.newest_step();
  int losses_in_place = 0;
  for (;;) {
    if (stop_requested()) return ExitCode::kSavedOnRequest;  // nothing runs: nothing to save
    log_.event("start", {{"ranks", ranks_}, {"restarts", restarts_}, {"step", step}});
    const Ending ending = attempt();
    end_processes_of(run_id_, options_.leave_seconds);
    scratch_.clear();
    if (const auto code = final_code(ending)) {
      log_.event("end", {{"ranks", ranks_}, {"code", static_cast<int>(*code)}});
      return *code;
    }
    const std::int64_t reached = parts_.newest_step();
    losses_in_place = reached == step ? losses_in_place + 1 : 0;
    step = reached;
    log::error("{}; newest checkpoint: {}", ending.reason,
               step < 0 ? "none" : fmt::format("step {}", step));
    log_.event(
        "lost",
        {{"ranks", ranks_}, {"code", ending.code}, {"reason", ending.reason}, {"step", step}});
    if (stop_requested()) return give_up("a stop was requested, but the ranks did not save");
    if (losses_in_place >= kLossesWithoutProgress) {
      return give_up("two losses without a new checkpoint in between: " + ending.reason);
    }
    if (restarts_ >= options_.max_restarts) {
      return give_up(
          fmt::format("{} restarts were allowed (--max-restarts)", options_.max_restarts));
    }
    if (!back_off()) return ExitCode::kSavedOnRequest;
    ++restarts_;
    ranks_ = parts_.ranks_after_loss(ranks_);
  }
}

Supervisor::Ending Supervisor::attempt() {
  ChildOptions options = parts_.launch({ranks_, {{kRunIdVariable, run_id_}}, scratch_.path()});
  options.capture_error = true;
  ChildProcess ranks(options);
  std::string text;
  const auto pass_on = [&] {
    const std::string more = ranks.take_error();
    std::fwrite(more.data(), 1, more.size(), stderr);
    text += more;
    if (text.size() > 2 * kKeptText) text.erase(0, text.size() - kKeptText);
  };
  std::optional<int> code;
  while (!code) {
    code = ranks.wait(kLookSeconds);
    pass_on();
    if (!code && stop_requested()) hand_on_stop(ranks);
  }
  pass_on();
  const auto report = find_rank_report(text);
  if (!report) {
    return {*code, reason_of(*code, Path(options.command.front()).filename().string()), false};
  }
  // The rank's own code: srun kills the others after the first that ends with 75 or 77, and then
  // ends with the highest code of all, that of a killed one.
  return {report->signal == 0 ? report->code : *code, describe(*report), true};
}

// Always SIGUSR2: mpirun hands it on to every rank, whereas SIGTERM makes it kill them. Sent again
// with growing pauses, because a launcher that has just begun has nobody yet to hand it to.
void Supervisor::hand_on_stop(ChildProcess& ranks) {
  const double now = parts_.clock->seconds();
  if (resend_after_ == 0) {
    stop_at_ = now + options_.stop_seconds;
    log::info("{}: asking {} ranks to save and stop", signal_name(parts_.signals->pending()),
              ranks_);
    log_.event("stop", {{"signal", signal_name(parts_.signals->pending())}});
    resend_after_ = 1;
  } else if (now >= stop_at_) {
    log::error("the ranks have not stopped within {:.0f} s: killing them", options_.stop_seconds);
    ranks.end(options_.leave_seconds);
    return;
  } else if (now < resend_at_) {
    return;
  }
  ranks.signal(SIGUSR2);
  resend_at_ = now + resend_after_;
  resend_after_ *= 2;
}

std::optional<ExitCode> Supervisor::final_code(const Ending& ending) const {
  switch (ending.code) {
    case 0:
    case 2:
    case 75:
    case 77:
      return static_cast<ExitCode>(ending.code);
    case 1:
      // A batch system that sends SIGTERM to everybody makes mpirun kill the ranks and end with 1.
      if (stop_requested() && !ending.told_by_rank) return std::nullopt;
      return ExitCode::kError;
    case 128 + SIGUSR2:
      // The request came before a rank could take it, so it had not begun: nothing is lost.
      if (stop_requested()) return ExitCode::kSavedOnRequest;
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

bool Supervisor::back_off() {
  const double pause = std::min(kLongestBackOff, std::pow(2.0, restarts_));
  log::warn("restart {} of at most {} in {:.0f} s", restarts_ + 1, options_.max_restarts, pause);
  const double until = parts_.clock->seconds() + pause;
  while (!stop_requested() && parts_.clock->seconds() < until) {
    parts_.sleep(until - parts_.clock->seconds());
  }
  return !stop_requested();
}

ExitCode Supervisor::give_up(const std::string& why) {
  log::error("gave up: {}. The same command goes on from the newest checkpoint.", why);
  log_.event("give_up", {{"reason", why}, {"code", static_cast<int>(ExitCode::kPeerLost)}});
  return ExitCode::kPeerLost;
}

}  // namespace lacuna::coordinator
