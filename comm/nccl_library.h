// The calls of NCCL that the backend makes: a seam, so that its failure paths are tested without a
// GPU. Nothing here blocks, except abort() and destroy(), which may hang in a broken network.
//
// Texts are NCCL's own; an empty one means success.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "comm/communicator.h"

namespace lacuna::comm {

class NcclLibrary {
 public:
  using Handle = void*;  // ncclComm_t
  enum class State { kReady, kInProgress, kFailed };

  virtual ~NcclLibrary() = default;

  virtual std::string make_id(std::vector<std::byte>& id) = 0;
  // Starts joining; poll state() until it is no longer in progress. The handle is set unless the
  // text says otherwise.
  virtual std::string join(int ranks, const std::vector<std::byte>& id, int rank,
                           const std::string& name, Handle& handle) = 0;
  virtual State state(Handle handle, std::string& error) = 0;
  // In place, on a CUDA stream.
  virtual std::string sum(Handle handle, const DeviceSpan& values, void* stream) = 0;
  virtual std::string finalize(Handle handle) = 0;  // then poll state(), then destroy()
  virtual void destroy(Handle handle) = 0;
  virtual void abort(Handle handle) = 0;
};

// The library itself; lives as long as the process.
NcclLibrary& nccl_library();

struct NcclVersions {
  int compiled = 0, loaded = 0;  // 22809 = 2.28.9
};
NcclVersions nccl_versions();  // needs no GPU

}  // namespace lacuna::comm
