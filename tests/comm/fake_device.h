// A GPU that is not there: "device" memory is ordinary memory, copies happen when their mark is
// asked for often enough, as if they took time.
#pragma once

#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "comm/device_queue.h"

namespace lacuna::comm {

class FakeQueue final : public DeviceQueue {
 public:
  explicit FakeQueue(int delay = 3) : delay_(delay) {}

  void follow_compute() override {}
  std::unique_ptr<Mark> mark() override { return std::make_unique<FakeMark>(*this, work_end_); }
  void copy_to_host(std::byte* host, const void* device, std::size_t bytes) override {
    add([=] { std::memcpy(host, device, bytes); });
  }
  void copy_to_device(void* device, const std::byte* host, std::size_t bytes) override {
    add([=] { std::memcpy(device, host, bytes); });
  }
  std::shared_ptr<std::byte[]> host_memory(std::size_t bytes) override {
    ++allocations;
    return std::shared_ptr<std::byte[]>(new std::byte[bytes]);
  }
  void* stream() override { return nullptr; }
  void select_device() override {}
  std::unique_ptr<DeviceQueue> another() override { return std::make_unique<FakeQueue>(delay_); }

  bool stuck = false;   // nothing gets on any more
  std::string failure;  // what marks report from now on
  int allocations = 0;

 private:
  class FakeMark final : public Mark {
   public:
    FakeMark(FakeQueue& queue, std::size_t position)
        : queue_(queue), position_(position), left_(queue.delay_) {}
    State state() override {
      if (!queue_.failure.empty()) return State::kFailed;
      if (queue_.stuck || left_-- > 0) return State::kPending;
      queue_.run_up_to(position_);
      return State::kReached;
    }
    std::string error() const override { return queue_.failure; }

   private:
    FakeQueue& queue_;
    std::size_t position_;
    int left_;
  };

  void add(std::function<void()> work) {
    work_.push_back(std::move(work));
    ++work_end_;
  }
  void run_up_to(std::size_t position) {
    for (; work_begin_ < position; ++work_begin_) {
      work_.front()();
      work_.pop_front();
    }
  }

  int delay_;
  std::deque<std::function<void()>> work_;
  std::size_t work_begin_ = 0, work_end_ = 0;  // positions in the queue since its start
};

}  // namespace lacuna::comm
