#include "worker/run/rank_group.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "base/process/host.h"
#include "base/text/parse_json.h"
#include "comm/gather_texts.h"
#include "comm/solo.h"

namespace lacuna::worker {
namespace {

// Counts of an operation are int.
constexpr std::size_t kLongestMessage = std::size_t{1} << 30;

}  // namespace

RankGroup::RankGroup(comm::Communicator* world, Pulse* pulse, bool dedicated_validation,
                     comm::Seconds deadline, std::function<bool()> overseen)
    : all_(world),
      pulse_(pulse),
      deadline_(deadline),
      overseen_(std::move(overseen)),
      exceptions_(std::uncaught_exceptions()) {
  if (!all_) {
    solo_ = comm::make_solo();
    all_ = solo_.get();
  }
  rank_ = all_->rank();
  size_ = all_->size();
  has_validation_rank_ = dedicated_validation && size_ > 1;
  if (!has_validation_rank_) {
    trainers_ = all_;
    return;
  }
  own_trainers_ = all_->split(trains() ? 0 : -1);
  trainers_ = own_trainers_.get();
  const int pair = rank_ == 0 || !trains() ? 0 : -1;
  // Bytes in host memory only: no place in NCCL's world for them.
  courier_ = all_->split_host(pair);
  alarm_ = all_->split_host(pair);
  scores_ = all_->split_host(0);
}

RankGroup::~RankGroup() {
  if (size_ == 1) return;
  if (!lost_ && std::uncaught_exceptions() == exceptions_) return;
  for (auto* each : {&own_trainers_, &courier_, &alarm_, &scores_}) (void)each->release();
}

void RankGroup::enter(std::int64_t step, Activity activity) {
  step_ = step;
  activity_ = activity;
  beat();
}

void RankGroup::beat() noexcept {
  if (pulse_) pulse_->beat(step_, activity_, waits_for_);
}

RankGroup::Waiting::Waiting(RankGroup& ranks, int whom) : ranks_(ranks), before_(ranks.activity_) {
  if (before_ == Activity::kWaiting) return;
  ranks_.waits_for_ = whom;
  ranks_.enter(ranks_.step_, Activity::kWaiting);
}

RankGroup::Waiting::~Waiting() {
  if (before_ == Activity::kWaiting) return;
  ranks_.waits_for_ = kAnybody;
  ranks_.enter(ranks_.step_, before_);
}

RankGroup::Doing::Doing(RankGroup& ranks, Activity activity)
    : ranks_(ranks), before_(ranks.activity_) {
  ranks_.enter(ranks_.step_, activity);
}

RankGroup::Doing::~Doing() { ranks_.enter(ranks_.step_, before_); }

comm::Seconds RankGroup::limit_of(double patience) const {
  return std::min(deadline_ * patience, std::max(deadline_, kLongestAlone));
}

// Of the pair that courier and alarm connect, 1 is the validation rank.
int RankGroup::world_rank_of(const comm::Communicator& ranks, int root) const {
  const bool pair = &ranks == courier_.get() || &ranks == alarm_.get();
  return pair && root == 1 ? validation_rank() : root;
}

void RankGroup::require(const comm::CommResult& result, const char* doing) {
  if (result.ok()) return;
  lost_ = true;
  all_->abort();
  if (own_trainers_) own_trainers_->abort();
  throw_error<PeerLost>(
      "rank {} of {} ({}), step {}, {}{}: {} failed: {}. The run goes on from its newest "
      "checkpoint: start the same command again.",
      rank_, size_, host_name(), step_, activity_name(activity_),
      waits_for_ == kAnybody ? "" : fmt::format(" {}", waits_for_), doing, result.text);
}

void RankGroup::wait(comm::Operation& operation, const char* doing, double patience, int whom) {
  if (operation.poll()) return require(operation.wait(comm::Seconds{0}), doing);
  const Waiting waiting(*this, whom);
  comm::CommResult result = operation.wait(limit_of(patience));
  while (result.outcome == comm::Outcome::kTimedOut && patience > 1 && overseen()) {
    result = operation.wait(deadline_);
  }
  require(result, doing);
}

bool RankGroup::wait_briefly(comm::Operation& operation, comm::Seconds moment,
                             std::chrono::steady_clock::time_point since, const char* doing,
                             int whom) {
  if (operation.poll()) {
    require(operation.wait(comm::Seconds{0}), doing);
    return true;
  }
  const Waiting waiting(*this, whom);
  const comm::CommResult result = operation.wait(moment);
  const bool late = std::chrono::steady_clock::now() - since > limit_of(kPatience);
  if (result.outcome == comm::Outcome::kTimedOut && (!late || overseen())) return false;
  require(result, doing);
  return true;
}

std::vector<std::unique_ptr<comm::Operation>> RankGroup::start_broadcast(comm::Communicator& ranks,
                                                                         std::span<std::byte> bytes,
                                                                         int root) {
  std::vector<std::unique_ptr<comm::Operation>> started;
  for (std::size_t begin = 0; begin < bytes.size(); begin += kLongestMessage) {
    const std::size_t count = std::min(kLongestMessage, bytes.size() - begin);
    started.push_back(ranks.broadcast(bytes.subspan(begin, count), root));
  }
  return started;
}

void RankGroup::broadcast(comm::Communicator& ranks, std::span<std::byte> bytes, int root,
                          const char* doing, double patience) {
  const int sender = world_rank_of(ranks, root);
  const int whom = sender == rank_ ? kAnybody : sender;
  for (auto& each : start_broadcast(ranks, bytes, root)) wait(*each, doing, patience, whom);
}

Json RankGroup::share(const Json& mine, const char* doing) {
  if (size_ == 1) return mine;
  std::string text = rank_ == 0 ? mine.dump() : "";
  std::int64_t length = std::ssize(text);
  broadcast(*all_, std::as_writable_bytes(std::span(&length, 1)), 0, doing, kPatience);
  text.resize(static_cast<std::size_t>(length));
  broadcast(*all_, std::as_writable_bytes(std::span(text)), 0, doing);
  return parse_json(text, std::string("rank 0: ") + doing);
}

bool RankGroup::any(bool mine, const char* doing, double patience) {
  if (trainers() == 1) return mine;
  std::int64_t flag = mine;
  wait(*trainers_->maximum(std::span(&flag, 1)), doing, patience);
  return flag != 0;
}

std::vector<std::string> RankGroup::gather_from(comm::Communicator& ranks, const std::string& mine,
                                                const char* doing, double patience) {
  std::vector<std::string> texts;
  const Waiting waiting(*this);
  require(comm::gather_texts(ranks, mine, texts, limit_of(patience)), doing);
  return texts;
}

std::vector<std::string> RankGroup::gather(const std::string& mine, const char* doing,
                                           double patience) {
  return gather_from(*trainers_, mine, doing, patience);
}

void RankGroup::expect_same(const std::string& mine, const char* what) {
  const auto all = gather_from(*all_, mine, what, kPatience);
  for (std::size_t rank = 1; rank < all.size(); ++rank) {
    if (all[rank] == all[0]) continue;
    throw_error<Error>(
        "rank {} has another {} than rank 0 ({} instead of {}). Give all ranks the same program, "
        "run file and shared directories.",
        rank, what, all[rank], all[0]);
  }
}

}  // namespace lacuna::worker
