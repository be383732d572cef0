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

Json Answer::wait(const char* doing) {
  for (auto& each : operations_) ranks_.wait(*each, doing, kPatience);
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
  return std::make_shared<Answer>(ranks_, ranks_.all(), std::move(results));
}

std::shared_ptr<Answer> ValidationLink::submit_validation(const Json& header,
                                                          const TensorPack& weights) {
  send(header, weights);
  return std::make_shared<Answer>(ranks_, ranks_.scores(), TensorPack());
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
      ranks_.wait(*each, "the word to the validation rank", kPatience);
    }
  }
  sending_.clear();
  ranks_.wait(*alarm_, "the end of the validation rank", kPatience);
}

}  // namespace lacuna::worker
