#include "worker/validation/validation_link.h"

#include <algorithm>
#include <utility>

#include "worker/validation/fixed_text.h"

namespace lacuna::worker {
namespace {

// The validation rank waits kPatience deadlines for a header: this is well below a deadline.
constexpr std::chrono::seconds kIdleInterval{20};

}  // namespace

Answer::Answer(RankGroup& ranks, comm::Communicator& channel, TensorPack tensors)
    : ranks_(ranks), text_(kAnswerBytes), tensors_(std::move(tensors)) {
  const int root = ranks.validation_rank();
  operations_ = ranks.start_broadcast(channel, text_, root);
  for (auto& each : ranks.start_broadcast(channel, tensors_.bytes(), root)) {
    operations_.push_back(std::move(each));
  }
}

void Answer::poll() {
  // One call moves all that is in flight; those behind it are looked at when it is done.
  for (auto& each : operations_) {
    if (!each->poll()) return;
  }
}

bool Answer::arrives_within(comm::Seconds moment, const char* doing) {
  const auto now = std::chrono::steady_clock::now();
  if (!waited_since_) waited_since_ = now;
  const auto until = now + std::chrono::duration_cast<std::chrono::nanoseconds>(moment);
  for (auto& each : operations_) {
    const comm::Seconds left =
        std::max(comm::Seconds{0}, comm::Seconds{until - std::chrono::steady_clock::now()});
    if (!ranks_.wait_briefly(*each, left, *waited_since_, doing, ranks_.validation_rank())) {
      return false;
    }
  }
  return true;
}

Json Answer::wait(const char* doing) {
  for (auto& each : operations_) ranks_.wait(*each, doing, kPatience, ranks_.validation_rank());
  operations_.clear();
  return read_fixed(text_);
}

ValidationLink::ValidationLink(RankGroup& ranks) : ranks_(ranks) {
  if (ranks.writes()) {
    alarm_ = ranks.alarm().broadcast(std::span(&alarm_byte_, 1), kValidationOnCourier);
  }
}

std::shared_ptr<Answer> ValidationLink::submit_meta(const Json& header, const TensorPack& weights,
                                                    TensorPack results) {
  send(header, weights);
  return expect(ranks_.all(), std::move(results));
}

std::shared_ptr<Answer> ValidationLink::submit_validation(const Json& header,
                                                          const TensorPack& weights) {
  send(header, weights);
  return expect(ranks_.scores(), TensorPack());
}

std::shared_ptr<Answer> ValidationLink::expect(comm::Communicator& channel, TensorPack tensors) {
  auto answer = std::make_shared<Answer>(ranks_, channel, std::move(tensors));
  expected_.push_back(answer);
  return answer;
}

void ValidationLink::cancel_validation() { send({{"kind", "cancel"}}, {}); }

void ValidationLink::send(const Json& header, const TensorPack& tensors) {
  if (!ranks_.writes()) return;
  Message& message = sending_.emplace_back();
  message.header.resize(kHeaderBytes);
  write_fixed(header, message.header);
  message.tensors = tensors;
  message.operations = ranks_.start_broadcast(ranks_.courier(), message.header, 0);
  for (auto& each : ranks_.start_broadcast(ranks_.courier(), message.tensors.bytes(), 0)) {
    message.operations.push_back(std::move(each));
  }
  last_sent_ = std::chrono::steady_clock::now();
}

void ValidationLink::poll() {
  std::erase_if(expected_, [](const auto& each) { return each.expired(); });
  for (const auto& each : expected_) {
    if (const auto answer = each.lock()) answer->poll();
  }
  if (!ranks_.writes()) return;
  if (std::chrono::steady_clock::now() - last_sent_ > kIdleInterval) send({{"kind", "idle"}}, {});
  while (!sending_.empty()) {
    auto& operations = sending_.front().operations;
    if (!std::all_of(operations.begin(), operations.end(),
                     [](const auto& each) { return each->poll(); })) {
      return;
    }
    sending_.pop_front();
  }
}

bool ValidationLink::alarmed() { return alarm_ && alarm_->poll() && alarm_byte_ != std::byte{}; }

void ValidationLink::end(ExitCode code, std::int64_t step, double score) {
  send({{"kind", "end"}, {"code", static_cast<int>(code)}, {"step", step}, {"score", score}}, {});
  if (!ranks_.writes()) return;
  for (Message& message : sending_) {
    for (auto& each : message.operations) {
      ranks_.wait(*each, "the word to the validation rank", kPatience, ranks_.validation_rank());
    }
  }
  sending_.clear();
  ranks_.wait(*alarm_, "the end of the validation rank", kPatience, ranks_.validation_rank());
}

}  // namespace lacuna::worker
