// Requests to stop that arrive as signals: SIGUSR2 and SIGTERM from a batch system, SIGINT from a
// terminal, SIGHUP from one that is closed (not under nohup). They only set a flag; the training
// loop asks for it at a step boundary, saves, and leaves with exit code 75.
#pragma once

namespace lacuna {

// The seam: tests deliver a request at a chosen step without a signal.
class SignalSource {
 public:
  virtual ~SignalSource() = default;
  // The first signal that asked to stop, or 0.
  virtual int pending() const = 0;
};

// Handles the four signals while it lives and then puts the former handlers back. A second SIGINT
// ends the process at once: a person who presses Ctrl-C twice does not want to wait for a save.
// One at a time per process; a second one throws Error. pending() is thread-safe.
class StopSignals final : public SignalSource {
 public:
  StopSignals();
  ~StopSignals() override;
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  int pending() const override;
};

// "SIGTERM", for messages.
const char* signal_name(int number);

}  // namespace lacuna
