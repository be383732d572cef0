// Ranks of one run talking to each other, whatever carries the bytes.
//
// The communication path returns results instead of throwing: whether to abort is the caller's
// decision. Every wait has a deadline. Operations on one communicator must be started in the same
// order on every rank. Buffers belong to the caller and must live until the operation is done.
// Thread-safety: one thread at a time per communicator; different communicators are independent.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace lacuna::comm {

using Seconds = std::chrono::duration<double>;

enum class Outcome { kOk, kTimedOut, kFailed };

struct [[nodiscard]] CommResult {
  Outcome outcome = Outcome::kOk;
  std::string text;  // what was waited for, with whom, for how long; empty when ok
  bool ok() const { return outcome == Outcome::kOk; }
};

// Something in flight. Destroying it before it is done leaves the buffer in use: wait first.
class Operation {
 public:
  virtual ~Operation() = default;
  virtual bool poll() = 0;  // makes progress; true when done
  virtual CommResult wait(Seconds deadline) = 0;
};

// One that never started: poll() is true, wait() gives `result`.
std::unique_ptr<Operation> finished_operation(CommResult result = {});

enum class ElementType { kFloat, kBFloat16 };
constexpr std::size_t element_bytes(ElementType type) {
  return type == ElementType::kFloat ? 4 : 2;
}

// Values in the memory of the calling rank's GPU.
struct DeviceSpan {
  void* data = nullptr;
  std::size_t count = 0;
  ElementType type = ElementType::kFloat;
  std::size_t bytes() const { return count * element_bytes(type); }
};

class Communicator {
 public:
  virtual ~Communicator() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;
  virtual std::string name() const = 0;  // "solo", "mpi", "mpi+staging", "nccl"

  // Element-wise sum over ranks, in place, in an order that depends on the number of ranks only.
  virtual std::unique_ptr<Operation> sum(std::span<float> values) = 0;
  // The same for bfloat16 bit patterns; each addition is rounded to nearest even.
  virtual std::unique_ptr<Operation> sum_bf16(std::span<std::uint16_t> values) = 0;
  // The same in GPU memory: sums what the calling thread's CUDA stream will have written. Work that
  // is queued once the operation is done sees the sum. Fails where there is no path to a GPU.
  virtual std::unique_ptr<Operation> sum_on_device(const DeviceSpan& values);
  virtual std::unique_ptr<Operation> maximum(std::span<std::int64_t> values) = 0;
  virtual std::unique_ptr<Operation> broadcast(std::span<std::byte> bytes, int root) = 0;

  // Bytes of any length from every rank, in rank order, on every rank.
  virtual CommResult gather_all(std::span<const std::byte> mine,
                                std::vector<std::vector<std::byte>>& all, Seconds deadline) = 0;
  virtual CommResult barrier(Seconds deadline) = 0;

  // Ranks that give the same colour form a communicator; colour < 0 stays out (nullptr). All ranks
  // call it, with nothing in flight.
  virtual std::unique_ptr<Communicator> split(int colour) = 0;
  // The same for what stays in host memory: without a path to a GPU, which takes memory and
  // seconds.
  virtual std::unique_ptr<Communicator> split_host(int colour) { return split(colour); }

  // After a failed wait: gives up what is in flight, without the other ranks and within seconds.
  // Only destruction may follow. Ranks in host memory have nothing to give up.
  virtual void abort() {}
};

}  // namespace lacuna::comm
