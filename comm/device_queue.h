// The communication stream of one GPU: the seam between the GPU backends and CUDA, so that they are
// tested without a GPU.
//
// Work on the queue runs in order, beside the compute stream. Nothing here blocks. Not thread-safe.
// Errors of CUDA are thrown as Error, except by Mark, which reports them.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace lacuna::comm {

// A point in the queue.
class Mark {
 public:
  enum class State { kPending, kReached, kFailed };
  virtual ~Mark() = default;
  virtual State state() = 0;
  virtual std::string error() const = 0;  // after kFailed
};

class DeviceQueue {
 public:
  virtual ~DeviceQueue() = default;

  // What is queued from now on starts after everything that the calling thread's compute stream
  // holds now.
  virtual void follow_compute() = 0;
  virtual std::unique_ptr<Mark> mark() = 0;

  // `host` must be from host_memory() and live until a later mark is reached.
  virtual void copy_to_host(std::byte* host, const void* device, std::size_t bytes) = 0;
  virtual void copy_to_device(void* device, const std::byte* host, std::size_t bytes) = 0;
  // Page-locked, so that copies run beside everything else.
  virtual std::shared_ptr<std::byte[]> host_memory(std::size_t bytes) = 0;

  virtual void* stream() = 0;  // cudaStream_t
  // Makes the queue's device current for the calling thread.
  virtual void select_device() = 0;
  // Another queue on the same device.
  virtual std::unique_ptr<DeviceQueue> another() = 0;
};

}  // namespace lacuna::comm
