// A communicator that leaves host memory to another one: what the GPU backends have in common.
//
// Owns the host communicator. Flags, parameter lists and barriers are small and stay on it.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "comm/communicator.h"

namespace lacuna::comm {

class HostBacked : public Communicator {
 public:
  explicit HostBacked(std::unique_ptr<Communicator> host) : host_(std::move(host)) {}

  int rank() const override { return host_->rank(); }
  int size() const override { return host_->size(); }
  std::unique_ptr<Operation> sum(std::span<float> values) override { return host_->sum(values); }
  std::unique_ptr<Operation> sum_bf16(std::span<std::uint16_t> values) override {
    return host_->sum_bf16(values);
  }
  std::unique_ptr<Operation> maximum(std::span<std::int64_t> values) override {
    return host_->maximum(values);
  }
  std::unique_ptr<Operation> broadcast(std::span<std::byte> bytes, int root) override {
    return host_->broadcast(bytes, root);
  }
  CommResult gather_all(std::span<const std::byte> mine, std::vector<std::vector<std::byte>>& all,
                        Seconds deadline) override {
    return host_->gather_all(mine, all, deadline);
  }
  CommResult barrier(Seconds deadline) override { return host_->barrier(deadline); }
  std::unique_ptr<Communicator> split_host(int colour) override {
    return host_->split_host(colour);
  }

 protected:
  Communicator& host() { return *host_; }

 private:
  std::unique_ptr<Communicator> host_;
};

}  // namespace lacuna::comm
