#include "coordinator/supervisor/supervisor.h"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "base/files/hash.h"
#include "base/files/held_error.h"
#include "base/text/log.h"
#include "coordinator/supervisor/end_note.h"
#include "coordinator/supervisor/rank_report.h"

namespace lacuna::coordinator {
namespace {

constexpr double kLookSeconds = 0.1;    // between two looks at signals and at what ranks print
constexpr int kLooksPerCheck = 10;      // every second: whether the launcher still has a purpose
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
    : run_directory_(run_directory),
      options_(options),
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
    if (!log_.answers()) {
      log::error("{}", ending.reason);
      return give_up(fmt::format("{} takes no writes: its storage hangs", run_directory_.string()));
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
  clear_end_notes(run_directory_);
  seen_ = {};
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
  std::string overdue;
  for (int looks = 1; !code; ++looks) {
    code = ranks.wait(kLookSeconds);
    pass_on();
    if (code) break;
    if (stop_requested()) hand_on_stop(ranks);
    if (looks % kLooksPerCheck != 0) continue;
    overdue = find_overdue();
    if (overdue.empty()) continue;
    log::error("{}: ending what is left of it", overdue);
    code = ranks.end(options_.leave_seconds);
  }
  pass_on();
  const auto report = find_cause(read_end_notes(run_directory_), ranks_, text);
  if (!report) {
    const std::string launcher = Path(options.command.front()).filename().string();
    return {*code, overdue.empty() ? reason_of(*code, launcher) : overdue, false};
  }
  // The rank's own code: srun kills the others after the first that ends with 75 or 77, and then
  // ends with the highest code of all, that of a killed one.
  return {report->signal == 0 ? report->code : 128 + report->signal, describe(*report), true};
}

std::string Supervisor::find_overdue() {
  const auto looks = [](double seconds) {
    return static_cast<int>(std::ceil(seconds / (kLookSeconds * kLooksPerCheck)));
  };
  const std::vector<RankProcess> here = rank_processes_of(run_id_);
  // Of ranks on several hosts those elsewhere may be at work: they watch over one another.
  const bool all_here = here.size() >= static_cast<std::size_t>(ranks_);
  seen_.all = seen_.all || all_here;
  seen_.none = seen_.all && here.empty() ? seen_.none + 1 : 0;
  const bool all_stopped = all_here && std::all_of(here.begin(), here.end(), [](const auto& rank) {
                             return rank.state == 'T' || rank.state == 't';
                           });
  seen_.stopped = all_stopped ? seen_.stopped + 1 : 0;
  seen_.noted = count_end_notes(run_directory_) >= ranks_ ? seen_.noted + 1 : 0;
  if (seen_.none > looks(options_.leave_seconds)) {
    return "the launcher lives on although none of its ranks on this host does";
  }
  if (seen_.noted > looks(options_.leave_seconds)) {
    return "the launcher lives on although all ranks have said that they end";
  }
  if (seen_.stopped > looks(options_.stopped_seconds)) {
    return fmt::format("all ranks of this host have been stopped (SIGSTOP) for {:.0f} s",
                       options_.stopped_seconds);
  }
  return "";
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
    case static_cast<int>(kHeldCode):
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
