// This process among the ranks of a run: who trains, who writes, who validates, and waiting for
// the others with a deadline.
//
// Ranks 0 .. trainers()-1 train; rank 0 also writes the run directory. With a dedicated validation
// rank and at least two ranks the last one does not train. A communication that fails throws
// PeerLost naming rank, host, step and activity; from then on (and whenever an exception unwinds)
// the communicators are left as they are, since releasing them may wait for a peer that is gone:
// the process must end without MPI_Finalize. Not thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/process/pulse.h"
#include "base/text/json.h"
#include "comm/communicator.h"

namespace lacuna::worker {

// A peer or the communicator is gone: exit code 76.
class PeerLost : public Error {
 public:
  explicit PeerLost(const std::string& text) : Error(text, ExitCode::kPeerLost) {}
};

// Waits for work that one rank does alone (a meta phase, a validation, the last save) may take this
// many deadlines, but no more than kLongestAlone where that is longer than a deadline. While a
// watch oversees the ranks they go on beyond that: it ends the run once nobody gets on.
inline constexpr double kPatience = 12;
inline constexpr comm::Seconds kLongestAlone{3600};

class RankGroup {
 public:
  static constexpr int kAnybody = -1;

  // This rank waits for others while it lives: its pulse says so and for whom, so that the watch
  // never takes it for the one that hangs. Afterwards it does again what it did before. Waits
  // inside a wait change nothing.
  class Waiting {
   public:
    explicit Waiting(RankGroup& ranks, int whom = kAnybody);
    ~Waiting();
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;

   private:
    RankGroup& ranks_;
    const Activity before_;
  };

  // This rank does something else while it lives, then again what it did before.
  class Doing {
   public:
    Doing(RankGroup& ranks, Activity activity);
    ~Doing();
    Doing(const Doing&) = delete;
    Doing& operator=(const Doing&) = delete;

   private:
    RankGroup& ranks_;
    const Activity before_;
  };

  // world null: this process alone. overseen: whether a watch hears all ranks now; empty: never.
  // Collective.
  RankGroup(comm::Communicator* world, Pulse* pulse, bool dedicated_validation,
            comm::Seconds deadline, std::function<bool()> overseen = nullptr);
  ~RankGroup();
  RankGroup(const RankGroup&) = delete;
  RankGroup& operator=(const RankGroup&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }
  int trainers() const { return has_validation_rank_ ? size_ - 1 : size_; }
  bool writes() const { return rank_ == 0; }
  bool trains() const { return rank_ < trainers(); }
  bool has_validation_rank() const { return has_validation_rank_; }
  int validation_rank() const { return size_ - 1; }

  comm::Communicator& all() { return *all_; }
  comm::Communicator& trainer_ranks() { return *trainers_; }  // not on the validation rank
  // With a validation rank. Rank 0 and it: jobs, and its alarm; all ranks: its scores.
  comm::Communicator& courier() { return *courier_; }
  comm::Communicator& alarm() { return *alarm_; }
  comm::Communicator& scores() { return *scores_; }
  comm::Seconds deadline() const { return deadline_; }

  // The longest that a wait with this patience lasts without a watch.
  comm::Seconds limit_of(double patience) const;

  // What this rank is doing from now on: beats the pulse and is named in errors.
  void enter(std::int64_t step, Activity activity);
  // It gets on with that. Also from autograd's thread while the owner is in backward().
  void beat() noexcept;
  // Throws PeerLost when the result is not ok. doing: "the sum of gradients".
  void require(const comm::CommResult& result, const char* doing);
  // Until it is done; throws PeerLost. whom: the rank that it depends on, kAnybody for several.
  void wait(comm::Operation& operation, const char* doing, double patience = 1,
            int whom = kAnybody);
  // The same for a moment: whether it is done. since: when the wait as a whole began.
  bool wait_briefly(comm::Operation& operation, comm::Seconds moment,
                    std::chrono::steady_clock::time_point since, const char* doing, int whom);
  // Of any length, over a communicator of this group; started in order, to be waited for.
  std::vector<std::unique_ptr<comm::Operation>> start_broadcast(comm::Communicator& ranks,
                                                                std::span<std::byte> bytes,
                                                                int root);
  void broadcast(comm::Communicator& ranks, std::span<std::byte> bytes, int root, const char* doing,
                 double patience = 1);

  // Rank 0's value on every rank; the others' is ignored.
  Json share(const Json& mine, const char* doing);
  // Whether any trainer says so.
  bool any(bool mine, const char* doing, double patience = 1);
  // Every trainer's text, in rank order.
  std::vector<std::string> gather(const std::string& mine, const char* doing, double patience = 1);
  // Throws Error naming a rank that has another text than rank 0.
  void expect_same(const std::string& mine, const char* what);

 private:
  bool overseen() const { return overseen_ && overseen_(); }
  int world_rank_of(const comm::Communicator& ranks, int root) const;
  std::vector<std::string> gather_from(comm::Communicator& ranks, const std::string& mine,
                                       const char* doing, double patience);

  std::unique_ptr<comm::Communicator> solo_, own_trainers_, courier_, alarm_, scores_;
  comm::Communicator *all_ = nullptr, *trainers_ = nullptr;
  Pulse* pulse_;
  comm::Seconds deadline_;
  std::function<bool()> overseen_;
  int rank_ = 0, size_ = 1;
  bool has_validation_rank_ = false, lost_ = false;
  int exceptions_;
  std::int64_t step_ = 0;
  Activity activity_ = Activity::kStarting;
  int waits_for_ = kAnybody;
};

}  // namespace lacuna::worker
