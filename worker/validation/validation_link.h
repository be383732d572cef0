// The trainers' line to the dedicated validation rank. Jobs go out with the weights that they are
// about; each gets exactly one answer, in order among those of its kind (a meta phase may overtake
// a validation). Nothing here waits for the validation rank but Answer::wait() and end().
//
// A job is a header (JSON of fixed length) and tensors from rank 0; its answer, JSON of fixed
// length and tensors, goes to every trainer. Headers of jobs: {"kind": "meta", "stage", "phase",
// "step"},
// {"kind": "validate", "step"}. Headers alone, without an answer: {"kind": "idle"}, the trainers
// live; {"kind": "cancel"}, a validation in progress need not be finished; {"kind": "end", "code",
// "step", "score"}, the last. Not thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "worker/run/rank_group.h"
#include "worker/state/tensor_pack.h"

namespace lacuna::worker {

inline constexpr int kValidationOnCourier = 1;  // its rank there and on the alarm; rank 0 is 0
inline constexpr std::size_t kHeaderBytes = 1 << 10;
inline constexpr std::size_t kAnswerBytes = 64 << 10;  // hundreds of scores, losses or norms

// What comes back from a job. An answer {"cancelled": true} carries no result.
class Answer {
 public:
  // Starts to receive over `channel`; `tensors`: the pack whose memory the tensors go to.
  Answer(RankGroup& ranks, comm::Communicator& channel, TensorPack tensors);

  // Moves it along without waiting.
  void poll();
  // Waits for a moment; whether it is there. doing: "the score of a validation". Throws PeerLost.
  bool arrives_within(comm::Seconds moment, const char* doing);
  Json wait(const char* doing);  // throws PeerLost
  const TensorPack& tensors() const { return tensors_; }

 private:
  RankGroup& ranks_;
  std::vector<std::byte> text_;
  TensorPack tensors_;
  std::vector<std::unique_ptr<comm::Operation>> operations_;
  std::optional<std::chrono::steady_clock::time_point> waited_since_;
};

class ValidationLink {
 public:
  explicit ValidationLink(RankGroup& ranks);

  // Every trainer calls them in the same order; `weights` matter on rank 0 and must not change
  // until the answer is there. A meta phase answers with `results`.
  std::shared_ptr<Answer> submit_meta(const Json& header, const TensorPack& weights,
                                      TensorPack results);
  std::shared_ptr<Answer> submit_validation(const Json& header, const TensorPack& weights);
  void cancel_validation();
  // Moves data along, both ways, and tells the validation rank that the trainers live. MPI moves
  // data inside its calls only, so this is called many times per step.
  void poll();
  // Whether the validation rank was asked to stop (known on rank 0).
  bool alarmed();
  // The last words; waits until the validation rank has heard them. Answers must have been waited
  // for.
  void end(ExitCode code, std::int64_t step, double score);

 private:
  struct Message {
    std::vector<std::byte> header;
    TensorPack tensors;
    std::vector<std::unique_ptr<comm::Operation>> operations;
  };
  void send(const Json& header, const TensorPack& tensors);
  std::shared_ptr<Answer> expect(comm::Communicator& channel, TensorPack tensors);

  RankGroup& ranks_;
  std::vector<std::weak_ptr<Answer>> expected_;
  std::deque<Message> sending_;
  std::byte alarm_byte_{};
  std::unique_ptr<comm::Operation> alarm_;
  std::chrono::steady_clock::time_point last_sent_ = std::chrono::steady_clock::now();
};

}  // namespace lacuna::worker
