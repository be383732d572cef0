#include "comm/mpi.h"

#include <bit>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <numeric>

#include <fmt/format.h>
#include <mpi.h>
#include <unistd.h>

#include "base/error.h"
#include "base/text/log.h"
#include "comm/deadline.h"

namespace lacuna::comm {
namespace {

// MPI counts are int; a longer buffer would wrap silently.
int mpi_count(std::size_t count) {
  if (count > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    throw_error<Error>("{} elements in one MPI operation, the limit is {}. Use smaller buckets.",
                       count, std::numeric_limits<int>::max());
  }
  return static_cast<int>(count);
}

float widen(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

std::uint16_t narrow(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fc0;  // NaN stays NaN, whatever its payload
  return static_cast<std::uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

// MPI knows no bfloat16: its sum is an operation of ours on 16-bit integers.
MPI_Op bf16_sum() {
  static const MPI_Op operation = [] {
    MPI_Op made = MPI_OP_NULL;
    MPI_Op_create(
        [](void* in, void* inout, int* length, MPI_Datatype*) {
          const auto* from = static_cast<const std::uint16_t*>(in);
          auto* to = static_cast<std::uint16_t*>(inout);
          for (int i = 0; i < *length; ++i) to[i] = narrow(widen(from[i]) + widen(to[i]));
        },
        /*commute=*/1, &made);
    return made;
  }();
  return operation;
}

CommResult check(int code, const char* tried) {
  if (code == MPI_SUCCESS) return {};
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  MPI_Error_string(code, text, &length);
  return {Outcome::kFailed, fmt::format("{}: MPI says: {}", tried, std::string(text, length))};
}

class MpiOperation final : public Operation {
 public:
  MpiOperation(const char* what, int started, MPI_Request request)
      : what_(what), result_(check(started, what)), request_(request) {
    if (!result_.ok()) done_ = true;
  }

  bool poll() override {
    if (!done_) {
      int flag = 0;
      result_ = check(MPI_Test(&request_, &flag, MPI_STATUS_IGNORE), what_);
      done_ = flag != 0 || !result_.ok();
    }
    return done_;
  }

  CommResult wait(Seconds deadline) override {
    if (!poll_until([&] { return poll(); }, deadline)) {
      return {Outcome::kTimedOut,
              fmt::format("{} did not complete within {:.1f} s: a peer is gone, stopped or behind",
                          what_, deadline.count())};
    }
    return result_;
  }

 private:
  const char* what_;
  CommResult result_;
  MPI_Request request_;
  bool done_ = false;
};

class MpiCommunicator final : public Communicator {
 public:
  explicit MpiCommunicator(MPI_Comm handle) : handle_(handle) {
    MPI_Comm_set_errhandler(handle_, MPI_ERRORS_RETURN);
    MPI_Comm_rank(handle_, &rank_);
    MPI_Comm_size(handle_, &size_);
  }
  ~MpiCommunicator() override { MPI_Comm_free(&handle_); }

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  std::string name() const override { return "mpi"; }

  std::unique_ptr<Operation> sum(std::span<float> values) override {
    MPI_Request request = MPI_REQUEST_NULL;
    const int code = MPI_Iallreduce(MPI_IN_PLACE, values.data(), mpi_count(values.size()),
                                    MPI_FLOAT, MPI_SUM, handle_, &request);
    return std::make_unique<MpiOperation>("the sum over ranks", code, request);
  }

  std::unique_ptr<Operation> sum_bf16(std::span<std::uint16_t> values) override {
    MPI_Request request = MPI_REQUEST_NULL;
    const int code = MPI_Iallreduce(MPI_IN_PLACE, values.data(), mpi_count(values.size()),
                                    MPI_UINT16_T, bf16_sum(), handle_, &request);
    return std::make_unique<MpiOperation>("the bf16 sum over ranks", code, request);
  }

  std::unique_ptr<Operation> maximum(std::span<std::int64_t> values) override {
    MPI_Request request = MPI_REQUEST_NULL;
    const int code = MPI_Iallreduce(MPI_IN_PLACE, values.data(), mpi_count(values.size()),
                                    MPI_INT64_T, MPI_MAX, handle_, &request);
    return std::make_unique<MpiOperation>("the maximum over ranks", code, request);
  }

  std::unique_ptr<Operation> broadcast(std::span<std::byte> bytes, int root) override {
    MPI_Request request = MPI_REQUEST_NULL;
    const int code =
        MPI_Ibcast(bytes.data(), mpi_count(bytes.size()), MPI_BYTE, root, handle_, &request);
    return std::make_unique<MpiOperation>("the broadcast", code, request);
  }

  CommResult gather_all(std::span<const std::byte> mine, std::vector<std::vector<std::byte>>& all,
                        Seconds deadline) override {
    const auto ranks = static_cast<std::size_t>(size_);
    const int length = mpi_count(mine.size());
    std::vector<int> lengths(ranks);
    MPI_Request request = MPI_REQUEST_NULL;
    int code = MPI_Iallgather(&length, 1, MPI_INT, lengths.data(), 1, MPI_INT, handle_, &request);
    CommResult result = MpiOperation("the gathering of lengths", code, request).wait(deadline);
    if (!result.ok()) return result;

    std::vector<int> offsets(ranks);
    std::exclusive_scan(lengths.begin(), lengths.end(), offsets.begin(), 0);
    std::vector<std::byte> joined(static_cast<std::size_t>(offsets.back() + lengths.back()));
    code = MPI_Iallgatherv(mine.data(), length, MPI_BYTE, joined.data(), lengths.data(),
                           offsets.data(), MPI_BYTE, handle_, &request);
    result = MpiOperation("the gathering", code, request).wait(deadline);
    if (!result.ok()) return result;
    all.resize(ranks);
    for (std::size_t r = 0; r < ranks; ++r) {
      all[r].assign(joined.begin() + offsets[r], joined.begin() + offsets[r] + lengths[r]);
    }
    return {};
  }

  CommResult barrier(Seconds deadline) override {
    MPI_Request request = MPI_REQUEST_NULL;
    const int code = MPI_Ibarrier(handle_, &request);
    return MpiOperation("the barrier", code, request).wait(deadline);
  }

  std::unique_ptr<Communicator> split(int colour) override {
    MPI_Comm part = MPI_COMM_NULL;
    MPI_Comm_split(handle_, colour < 0 ? MPI_UNDEFINED : colour, rank_, &part);
    if (part == MPI_COMM_NULL) return nullptr;
    return std::make_unique<MpiCommunicator>(part);
  }

 private:
  MPI_Comm handle_;
  int rank_ = 0, size_ = 1;
};

}  // namespace

std::string mpi_version() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  int length = 0;
  MPI_Get_library_version(text, &length);
  const std::string whole(text, static_cast<std::size_t>(length));
  return whole.substr(0, whole.find(','));
}

bool launched_as_rank() {
  // Open MPI's mpirun, and srun --mpi=pmix.
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK"}) {
    if (std::getenv(name) != nullptr) return true;
  }
  return false;
}

MpiSession::MpiSession() {
  int provided = 0;
  if (MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &provided) != MPI_SUCCESS) {
    throw_error<Error>("MPI cannot start. Run: lacuna doctor");
  }
  // The trainer, the coordinator and the checkpoint writer each use a communicator of their own.
  if (provided < MPI_THREAD_MULTIPLE) {
    throw_error<Error>(
        "this MPI library gives thread level {}, MPI_THREAD_MULTIPLE is needed. "
        "Build Open MPI with threads.",
        provided);
  }
}

MpiSession::~MpiSession() { MPI_Finalize(); }

std::unique_ptr<Communicator> MpiSession::world() {
  MPI_Comm copy = MPI_COMM_NULL;
  MPI_Comm_dup(MPI_COMM_WORLD, &copy);
  return std::make_unique<MpiCommunicator>(copy);
}

void MpiSession::abandon(int code) {
  std::fflush(nullptr);
  log::flush(1);
  _exit(code);
}

}  // namespace lacuna::comm
