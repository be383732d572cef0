#include "comm/mpi.h"

#include <bit>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <numeric>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <mpi.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/text/log.h"
#include "comm/deadline.h"
#include "comm/local_peers.h"
#include "comm/peer_lost.h"

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

// Messages of the roll call. Nothing else is sent from rank to rank.
constexpr int kHereTag = 1, kHeardTag = 2, kAnswerTag = 3;
constexpr int kMissing = -1;  // in the answer: this rank did not come
// For an answer on its way, once rank 0 is known to be there.
constexpr Seconds kAnswerTime{5};

// MPI waits inside these calls until every rank has come.
void together(const char* doing, Seconds deadline, std::function<void()> call) {
  if (run_within(deadline, std::move(call))) return;
  throw_error<PeerLost>("{} did not come back within {:.1f} s; {}", doing, deadline.count(),
                        describe_local_peers());
}

class MpiCommunicator final : public Communicator {
 public:
  MpiCommunicator(MPI_Comm handle, Seconds split_deadline)
      : handle_(handle), split_deadline_(split_deadline) {
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
    CommResult result = call_roll(length, lengths, deadline);
    if (!result.ok()) return result;

    std::vector<int> offsets(ranks);
    std::exclusive_scan(lengths.begin(), lengths.end(), offsets.begin(), 0);
    std::vector<std::byte> joined(static_cast<std::size_t>(offsets.back() + lengths.back()));
    MPI_Request request = MPI_REQUEST_NULL;
    const int code = MPI_Iallgatherv(mine.data(), length, MPI_BYTE, joined.data(), lengths.data(),
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
    // Who is missing is known before the call that cannot be left.
    std::vector<int> colours(static_cast<std::size_t>(size_));
    require(call_roll(colour < 0 ? kMissing - 1 : colour, colours, split_deadline_),
            "dividing the ranks");
    const auto part = std::make_shared<MPI_Comm>(MPI_COMM_NULL);
    together("dividing the ranks (MPI_Comm_split)", split_deadline_,
             [part, colour, handle = handle_, rank = rank_] {
               MPI_Comm_split(handle, colour < 0 ? MPI_UNDEFINED : colour, rank, part.get());
             });
    if (*part == MPI_COMM_NULL) return nullptr;
    return std::make_unique<MpiCommunicator>(*part, split_deadline_);
  }

 private:
  // Every rank's number on every rank; none may be kMissing. A collective operation of MPI does not
  // tell who it waits for: here all report to rank 0, which can name those that did not.
  CommResult call_roll(int mine, std::vector<int>& all, Seconds deadline) {
    all[0] = mine;
    return rank_ == 0 ? hear_roll(all, deadline) : report(mine, all, deadline);
  }

  CommResult hear_roll(std::vector<int>& all, Seconds deadline) {
    const auto others = static_cast<std::size_t>(size_ - 1);
    std::vector<MPI_Request> requests(others, MPI_REQUEST_NULL);
    std::vector<int> arrived(others);
    std::size_t missing = others;
    int code = MPI_SUCCESS;
    for (std::size_t i = 0; i < others && code == MPI_SUCCESS; ++i) {
      code = MPI_Irecv(&all[i + 1], 1, MPI_INT, static_cast<int>(i) + 1, kHereTag, handle_,
                       &requests[i]);
    }
    // Each is told that it was heard: it knows then that rank 0 is there, and whom to wait for.
    const auto listen = [&] {
      int count = 0;
      if (missing == 0 || code != MPI_SUCCESS) return true;
      code = MPI_Testsome(size_ - 1, requests.data(), &count, arrived.data(), MPI_STATUSES_IGNORE);
      for (int i = 0; i < count && code == MPI_SUCCESS; ++i) {
        code = post(nullptr, 0, arrived[static_cast<std::size_t>(i)] + 1, kHeardTag);
        --missing;
      }
      return missing == 0 || code != MPI_SUCCESS;
    };
    const bool complete = poll_until(listen, deadline);
    if (code != MPI_SUCCESS) return check(code, "the roll call");
    std::vector<int> lost;
    for (std::size_t i = 0; i < others; ++i) {
      if (requests[i] == MPI_REQUEST_NULL) continue;
      MPI_Cancel(&requests[i]);
      MPI_Request_free(&requests[i]);
      all[i + 1] = kMissing;
      lost.push_back(static_cast<int>(i) + 1);
    }
    for (int rank = 1; rank < size_ && code == MPI_SUCCESS; ++rank) {
      if (all[static_cast<std::size_t>(rank)] == kMissing) continue;
      code = post(all.data(), size_, rank, kAnswerTag);
    }
    if (code != MPI_SUCCESS) return check(code, "the roll call");
    return complete ? CommResult{} : missed(lost, deadline);
  }

  CommResult report(int mine, std::vector<int>& all, Seconds deadline) {
    // They must outlive a wait that is given up.
    struct Mail {
      int mine;
      std::vector<int> all;
    };
    const auto mail = std::make_shared<Mail>(Mail{mine, all});
    kept_.push_back(mail);
    MPI_Request heard = MPI_REQUEST_NULL, answer = MPI_REQUEST_NULL, sent = MPI_REQUEST_NULL;
    int code = MPI_Irecv(nullptr, 0, MPI_INT, 0, kHeardTag, handle_, &heard);
    if (code == MPI_SUCCESS) {
      code = MPI_Irecv(mail->all.data(), size_, MPI_INT, 0, kAnswerTag, handle_, &answer);
    }
    if (code == MPI_SUCCESS) {
      code = MPI_Isend(&mail->mine, 1, MPI_INT, 0, kHereTag, handle_, &sent);
    }
    CommResult result = MpiOperation("reporting to rank 0", code, heard).wait(deadline);
    if (result.outcome == Outcome::kTimedOut) return missed({0}, deadline);
    if (!result.ok()) return result;
    result = MpiOperation("the answer of rank 0", code, answer).wait(deadline + kAnswerTime);
    if (!result.ok()) return result;
    MPI_Wait(&sent, MPI_STATUS_IGNORE);  // rank 0 has answered, so it has it
    all = mail->all;
    kept_.pop_back();
    std::vector<int> lost;
    for (int rank = 0; rank < size_; ++rank) {
      if (all[static_cast<std::size_t>(rank)] == kMissing) lost.push_back(rank);
    }
    return lost.empty() ? CommResult{} : missed(lost, deadline);
  }

  // A short message that nobody waits for: MPI takes a copy at once.
  int post(const int* data, int count, int rank, int tag) {
    MPI_Request request = MPI_REQUEST_NULL;
    const int code = MPI_Isend(data, count, MPI_INT, rank, tag, handle_, &request);
    if (code != MPI_SUCCESS) return code;
    int done = 0;
    const int tested = MPI_Test(&request, &done, MPI_STATUS_IGNORE);
    if (done == 0 && tested == MPI_SUCCESS) {  // a long one: as the receiver takes it
      return poll_until(
                 [&] {
                   return MPI_Test(&request, &done, MPI_STATUS_IGNORE) != MPI_SUCCESS || done;
                 },
                 kAnswerTime)
                 ? MPI_SUCCESS
                 : MPI_ERR_OTHER;
    }
    return tested;
  }

  static CommResult missed(const std::vector<int>& ranks, Seconds deadline) {
    return {Outcome::kTimedOut,
            fmt::format("{} {} did not come within {:.1f} s: gone, stopped or behind; {}",
                        ranks.size() == 1 ? "rank" : "ranks", fmt::join(ranks, ", "),
                        deadline.count(), describe_local_peers())};
  }

  MPI_Comm handle_;
  Seconds split_deadline_;
  std::vector<std::shared_ptr<void>> kept_;
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

namespace {

// Ranks of one host read each other's memory by process_vm_readv. Where that is forbidden (the
// seccomp filter of a container), Open MPI finds out anew, with two lines on the terminal, at every
// message that is long enough.
void do_without_forbidden_copies() {
  char from = 1, to = 0;
  const iovec here{&to, 1}, there{&from, 1};
  const bool allowed = ::process_vm_readv(::getpid(), &here, 1, &there, 1, 0) == 1;
  if (!allowed) ::setenv("OMPI_MCA_btl_vader_single_copy_mechanism", "none", /*overwrite=*/0);
}

}  // namespace

void leave_process_with_words(const std::string& reason, int code) {
  // Not through the log: it may be what hangs.
  const std::string text = "error: " + reason + "\n";
  (void)run_within(Seconds(1), [text] {
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
  });
  ::_exit(code);
}

MpiSession::MpiSession(MpiLimits limits, LeaveProcess leave)
    : limits_(limits), leave_(std::move(leave)) {
  if (!leave_) leave_ = [](const std::string& reason) { leave_process_with_words(reason); };
  do_without_forbidden_copies();
  int provided = 0;
  {
    const Deadline deadline(limits_.start.count(), [this] {
      leave_(fmt::format("rank {} of {}: not all ranks have come to MPI_Init within {:.0f} s; {}",
                         launched_rank(), launched_size(), limits_.start.count(),
                         describe_local_peers()));
    });
    if (MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &provided) != MPI_SUCCESS) {
      throw_error<Error>("MPI cannot start. Run: lacuna doctor");
    }
  }
  // Never two threads at once, but not one alone either: communicators are made in a thread that
  // can be given up, and gradients that are ready are sent from autograd's threads.
  if (provided < MPI_THREAD_SERIALIZED) {
    throw_error<Error>(
        "this MPI library gives thread level {}, {} (MPI_THREAD_SERIALIZED) is needed. Use an MPI "
        "that was built with threads.",
        provided, static_cast<int>(MPI_THREAD_SERIALIZED));
  }
}

MpiSession::~MpiSession() { end(); }

void MpiSession::end() {
  if (std::exchange(ended_, true)) return;
  // On this thread, as MPI wants it.
  const Deadline deadline(limits_.end.count(), [this] {
    leave_(
        fmt::format("rank {} of {}: its work is done, but MPI_Finalize does not come back "
                    "within {:.0f} s; {}",
                    launched_rank(), launched_size(), limits_.end.count(), describe_local_peers()));
  });
  MPI_Finalize();
}

std::unique_ptr<Communicator> MpiSession::world() {
  const auto copy = std::make_shared<MPI_Comm>(MPI_COMM_NULL);
  together("the first call of all ranks (MPI_Comm_dup)", limits_.start,
           [copy] { MPI_Comm_dup(MPI_COMM_WORLD, copy.get()); });
  return std::make_unique<MpiCommunicator>(*copy, limits_.start);
}

void MpiSession::abandon(int code) {
  std::fflush(nullptr);
  log::flush(1);
  _exit(code);
}

}  // namespace lacuna::comm
