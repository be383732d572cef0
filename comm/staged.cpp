#include "comm/staged.h"

#include <algorithm>
#include <deque>
#include <optional>

#include <fmt/format.h>

#include "base/error.h"
#include "comm/deadline.h"
#include "comm/host_backed.h"

namespace lacuna::comm {
namespace {

// One sum on its way: to the host, over the ranks, back to the GPU.
class Transfer {
 public:
  Transfer(DeviceQueue& queue, Communicator& lane, const DeviceSpan& values,
           std::shared_ptr<std::byte[]> memory)
      : queue_(queue), lane_(lane), values_(values), memory_(std::move(memory)) {
    queue_.copy_to_host(memory_.get(), values_.data, values_.bytes());
    mark_ = queue_.mark();
  }

  bool done() const { return stage_ == Stage::kDone; }
  bool on_its_way() const { return stage_ != Stage::kToHost; }  // its sum was started
  const CommResult& result() const { return result_; }
  const char* doing() const {
    return stage_ == Stage::kToHost  ? "a copy to the host"
           : stage_ == Stage::kRanks ? "the sum over ranks"
                                     : "a copy to the GPU";
  }

  // `may_start`: every earlier sum was started.
  void advance(bool may_start) {
    if (stage_ == Stage::kToHost && may_start && reached()) {
      sum_ = start_sum();
      stage_ = Stage::kRanks;
    }
    if (stage_ == Stage::kRanks && sum_->poll()) {
      const CommResult result = sum_->wait(Seconds{0});
      if (!result.ok()) return finish(result);
      queue_.copy_to_device(values_.data, memory_.get(), values_.bytes());
      mark_ = queue_.mark();
      stage_ = Stage::kToDevice;
    }
    if (stage_ == Stage::kToDevice && reached()) finish({});
  }

 private:
  enum class Stage { kToHost, kRanks, kToDevice, kDone };

  bool reached() {
    const Mark::State state = mark_->state();
    if (state == Mark::State::kFailed) {
      finish({Outcome::kFailed, fmt::format("{}: {}", doing(), mark_->error())});
    }
    return state == Mark::State::kReached;
  }

  std::unique_ptr<Operation> start_sum() {
    if (values_.type == ElementType::kFloat) {
      return lane_.sum({reinterpret_cast<float*>(memory_.get()), values_.count});
    }
    return lane_.sum_bf16({reinterpret_cast<std::uint16_t*>(memory_.get()), values_.count});
  }

  void finish(CommResult result) {
    result_ = std::move(result);
    stage_ = Stage::kDone;
  }

  DeviceQueue& queue_;
  Communicator& lane_;
  DeviceSpan values_;
  std::shared_ptr<std::byte[]> memory_;
  std::unique_ptr<Mark> mark_;
  std::unique_ptr<Operation> sum_;
  Stage stage_ = Stage::kToHost;
  CommResult result_;
};

class Staged final : public HostBacked {
 public:
  Staged(std::unique_ptr<Communicator> host, std::unique_ptr<DeviceQueue> queue)
      : HostBacked(std::move(host)), queue_(std::move(queue)), lane_(this->host().split(0)) {}

  std::string name() const override { return lane_->name() + "+staging"; }

  std::unique_ptr<Operation> sum_on_device(const DeviceSpan& values) override;

  std::unique_ptr<Communicator> split(int colour) override {
    std::unique_ptr<Communicator> part = host().split(colour);
    return part ? make_staged(std::move(part), queue_->another()) : nullptr;
  }

  // Lets every sum get on, in order.
  void advance() {
    bool may_start = true;
    for (const auto& transfer : transfers_) {
      transfer->advance(may_start);
      may_start = may_start && transfer->on_its_way();
    }
    while (!transfers_.empty() && transfers_.front()->done()) transfers_.pop_front();
  }

  // Buffers are kept: page-locking memory takes longer than a sum.
  void give_back(std::size_t bytes, std::shared_ptr<std::byte[]> memory) {
    spare_.emplace_back(bytes, std::move(memory));
  }

 private:
  std::shared_ptr<std::byte[]> take_memory(std::size_t bytes) {
    const auto fits = [&](const auto& each) { return each.first == bytes; };
    const auto found = std::find_if(spare_.begin(), spare_.end(), fits);
    if (found == spare_.end()) return queue_->host_memory(bytes);
    auto memory = std::move(found->second);
    spare_.erase(found);
    return memory;
  }

  std::unique_ptr<DeviceQueue> queue_;
  std::unique_ptr<Communicator> lane_;
  std::deque<std::shared_ptr<Transfer>> transfers_;  // oldest first
  std::vector<std::pair<std::size_t, std::shared_ptr<std::byte[]>>> spare_;
};

class StagedOperation final : public Operation {
 public:
  StagedOperation(Staged& ranks, std::shared_ptr<Transfer> transfer, std::size_t bytes,
                  std::shared_ptr<std::byte[]> memory)
      : ranks_(ranks), transfer_(std::move(transfer)), bytes_(bytes), memory_(std::move(memory)) {}
  ~StagedOperation() override {
    if (transfer_->done() && transfer_->result().ok()) ranks_.give_back(bytes_, std::move(memory_));
  }

  bool poll() override {
    if (!transfer_->done()) ranks_.advance();
    return transfer_->done();
  }

  CommResult wait(Seconds deadline) override {
    if (poll_until([&] { return poll(); }, deadline)) return transfer_->result();
    return {Outcome::kTimedOut,
            fmt::format("{} did not complete within {:.1f} s: a peer is gone, stopped or behind",
                        transfer_->doing(), deadline.count())};
  }

 private:
  Staged& ranks_;
  std::shared_ptr<Transfer> transfer_;
  std::size_t bytes_;
  std::shared_ptr<std::byte[]> memory_;
};

std::unique_ptr<Operation> Staged::sum_on_device(const DeviceSpan& values) {
  try {
    std::shared_ptr<std::byte[]> memory = take_memory(values.bytes());
    queue_->follow_compute();
    transfers_.push_back(std::make_shared<Transfer>(*queue_, *lane_, values, memory));
    return std::make_unique<StagedOperation>(*this, transfers_.back(), values.bytes(),
                                             std::move(memory));
  } catch (const Error& error) {
    return finished_operation({Outcome::kFailed, error.what()});
  }
}

}  // namespace

std::unique_ptr<Communicator> make_staged(std::unique_ptr<Communicator> host,
                                          std::unique_ptr<DeviceQueue> queue) {
  return std::make_unique<Staged>(std::move(host), std::move(queue));
}

}  // namespace lacuna::comm
