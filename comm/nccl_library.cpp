#include "comm/nccl_library.h"

#include <cstring>

#include <fmt/format.h>
#include <nccl.h>

namespace lacuna::comm {
namespace {

ncclComm_t native(NcclLibrary::Handle handle) { return static_cast<ncclComm_t>(handle); }

std::string text_of(ncclResult_t code, ncclComm_t handle = nullptr) {
  if (code == ncclSuccess || code == ncclInProgress) return "";
  const char* detail = ncclGetLastError(handle);
  return fmt::format("NCCL says: {}{}{}", ncclGetErrorString(code), detail && *detail ? ": " : "",
                     detail ? detail : "");
}

class RealLibrary final : public NcclLibrary {
 public:
  std::string make_id(std::vector<std::byte>& id) override {
    ncclUniqueId made;
    const ncclResult_t code = ncclGetUniqueId(&made);
    id.resize(sizeof made);
    std::memcpy(id.data(), &made, sizeof made);
    return text_of(code);
  }

  std::string join(int ranks, const std::vector<std::byte>& id, int rank, const std::string& name,
                   Handle& handle) override {
    ncclUniqueId shared;
    if (id.size() != sizeof shared) return fmt::format("an id of {} bytes", id.size());
    std::memcpy(&shared, id.data(), sizeof shared);
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;
    config.commName = name.c_str();
    ncclComm_t made = nullptr;
    const ncclResult_t code = ncclCommInitRankConfig(&made, ranks, shared, rank, &config);
    handle = made;
    return text_of(code, made);
  }

  State state(Handle handle, std::string& error) override {
    ncclResult_t now = ncclSuccess;
    const ncclResult_t code = ncclCommGetAsyncError(native(handle), &now);
    if (code != ncclSuccess) now = code;
    if (now == ncclSuccess) return State::kReady;
    if (now == ncclInProgress) return State::kInProgress;
    error = text_of(now, native(handle));
    return State::kFailed;
  }

  std::string sum(Handle handle, const DeviceSpan& values, void* stream) override {
    const ncclDataType_t type = values.type == ElementType::kFloat ? ncclFloat32 : ncclBfloat16;
    return text_of(ncclAllReduce(values.data, values.data, values.count, type, ncclSum,
                                 native(handle), static_cast<cudaStream_t>(stream)),
                   native(handle));
  }

  std::string finalize(Handle handle) override {
    return text_of(ncclCommFinalize(native(handle)), native(handle));
  }
  void destroy(Handle handle) override { ncclCommDestroy(native(handle)); }
  void abort(Handle handle) override { ncclCommAbort(native(handle)); }
};

}  // namespace

NcclLibrary& nccl_library() {
  static RealLibrary library;
  return library;
}

NcclVersions nccl_versions() {
  NcclVersions versions{NCCL_VERSION_CODE, 0};
  ncclGetVersion(&versions.loaded);
  return versions;
}

}  // namespace lacuna::comm
