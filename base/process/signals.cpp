#include "base/process/signals.h"

#include <array>
#include <atomic>
#include <csignal>

#include "base/error.h"

namespace lacuna {
namespace {

constexpr std::array<int, 4> kSignals{SIGUSR2, SIGTERM, SIGINT, SIGHUP};

// A handler has no argument of ours, hence process-wide state; both are lock-free, as it demands.
std::atomic<int> first_signal{0};
std::atomic<bool> installed{false};
std::array<struct sigaction, kSignals.size()> former;

void note(int number) {
  int none = 0;
  first_signal.compare_exchange_strong(none, number);
  if (number == SIGINT) std::signal(SIGINT, SIG_DFL);
}

}  // namespace

StopSignals::StopSignals() {
  if (installed.exchange(true)) throw_error<Error>("stop signals are already being handled");
  first_signal = 0;
  struct sigaction action {};
  action.sa_handler = note;
  action.sa_flags = SA_RESTART;  // a read or write that a signal meets goes on
  sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    sigaction(kSignals[i], &action, &former[i]);
    // Under nohup the end of the session is nobody's wish to stop.
    if (kSignals[i] == SIGHUP && former[i].sa_handler == SIG_IGN) {
      sigaction(SIGHUP, &former[i], nullptr);
    }
  }
}

StopSignals::~StopSignals() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &former[i], nullptr);
  installed = false;
}

int StopSignals::pending() const { return first_signal; }

const char* signal_name(int number) {
  switch (number) {
    case SIGUSR2:
      return "SIGUSR2";
    case SIGTERM:
      return "SIGTERM";
    case SIGINT:
      return "SIGINT";
    case SIGHUP:
      return "SIGHUP";
    default:
      return "a signal";
  }
}

}  // namespace lacuna
