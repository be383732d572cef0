#include "comm/nccl.h"

#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/text/log.h"
#include "comm/collective_log.h"
#include "comm/deadline.h"
#include "comm/host_backed.h"
#include "comm/peer_lost.h"

namespace lacuna::comm {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::string text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class NcclCommunicator final : public HostBacked {
 public:
  NcclCommunicator(std::unique_ptr<Communicator> bootstrap, std::unique_ptr<DeviceQueue> queue,
                   NcclOptions options, NcclLibrary& library)
      : HostBacked(std::move(bootstrap)),
        queue_(std::move(queue)),
        options_(std::move(options)),
        library_(library) {
    std::vector<std::byte> id = share_id();
    queue_->select_device();
    agree(join(id));
  }

  ~NcclCommunicator() override {
    if (!handle_) return;
    if (broken_ || !leave()) abort();
  }

  std::string name() const override { return "nccl"; }

  std::unique_ptr<Operation> sum_on_device(const DeviceSpan& values) override;

  std::unique_ptr<Communicator> split(int colour) override {
    std::unique_ptr<Communicator> part = host().split(colour);
    return part ? make_nccl(std::move(part), queue_->another(), options_, library_) : nullptr;
  }

  // Aborting may hang in NCCL's own threads: it gets a thread of its own, which stays behind then.
  void abort() override {
    if (!handle_) return;
    const auto abort_it = [&library = library_, handle = handle_] { library.abort(handle); };
    handle_ = nullptr;
    broken_ = true;
    if (!run_within(options_.end_deadline, abort_it)) {
      log::warn("rank {}: NCCL did not give up within {:.0f} s; its thread stays behind", rank(),
                options_.end_deadline.count());
    }
  }

  // What NCCL itself knows: empty when all is well.
  std::string error() {
    std::string text;
    if (!handle_) return "the communicator was given up";
    return library_.state(handle_, text) == NcclLibrary::State::kFailed ? text : "";
  }

  CommResult fail(Outcome outcome, const std::string& text) {
    broken_ = true;
    return {outcome, fmt::format("{}. Last collectives of rank {} of {}: {}", text, rank(), size(),
                                 log_.tail())};
  }

  void finished(std::int64_t sequence) { log_.finish(sequence); }

 private:
  // Rank 0 makes the id, all get it; a failure of rank 0 reaches all as well.
  std::vector<std::byte> share_id() {
    std::vector<std::byte> id;
    std::string error;
    if (rank() == 0) error = library_.make_id(id);
    std::vector<std::vector<std::byte>> ids, errors;
    check(gather_all(id, ids, options_.join_deadline));
    check(gather_all(bytes_of(error), errors, options_.join_deadline));
    if (!errors[0].empty()) throw_error<Error>("NCCL cannot start: {}", text_of(errors[0]));
    return ids[0];
  }

  std::string join(const std::vector<std::byte>& id) {
    std::string error = library_.join(size(), id, rank(), options_.name, handle_);
    return error.empty() ? settle(options_.join_deadline) : error;
  }

  // Until NCCL has taken what was asked of it: nothing else may be asked before.
  std::string settle(Seconds deadline) {
    std::string error;
    const auto ready = [&] { return library_.state(handle_, error) != State::kInProgress; };
    if (poll_until(ready, deadline)) return error;
    return fmt::format("{} after {:.0f} s", kLate, deadline.count());
  }

  // One rank that could not join ends it for all: the others would wait in the first sum.
  void agree(const std::string& error) {
    std::vector<std::vector<std::byte>> all;
    const CommResult result = gather_all(bytes_of(error), all, options_.join_deadline);
    std::string failures = result.text;
    bool late = true;  // nobody has a complaint of NCCL's: they wait for one that does not come
    for (std::size_t r = 0; r < all.size(); ++r) {
      if (all[r].empty()) continue;
      const std::string text = text_of(all[r]);
      late = late && text.starts_with(kLate);
      failures += fmt::format("{}rank {}: {}", failures.empty() ? "" : "; ", r, text);
    }
    if (failures.empty()) return;
    abort();
    if (late) throw PeerLost("not all ranks joined NCCL: " + failures);
    throw_error<Error>(
        "not all ranks could join NCCL: {}. Set NCCL_DEBUG=INFO to see why, or "
        "train.communicator=mpi to do without it.",
        failures);
  }

  bool leave() {
    if (!library_.finalize(handle_).empty() || !settle(options_.end_deadline).empty()) return false;
    const auto destroy = [&library = library_, handle = handle_] { library.destroy(handle); };
    handle_ = nullptr;
    if (!run_within(options_.end_deadline, destroy)) {
      log::warn("rank {}: NCCL did not end within {:.0f} s; its thread stays behind", rank(),
                options_.end_deadline.count());
    }
    return true;
  }

  static void check(const CommResult& result) { require(result, "starting NCCL"); }

  static constexpr const char* kLate = "still in progress";
  using State = NcclLibrary::State;
  std::unique_ptr<DeviceQueue> queue_;
  NcclOptions options_;
  NcclLibrary& library_;
  NcclLibrary::Handle handle_ = nullptr;
  CollectiveLog log_;
  bool broken_ = false;
};

class NcclOperation final : public Operation {
 public:
  NcclOperation(NcclCommunicator& ranks, std::unique_ptr<Mark> mark, std::int64_t sequence)
      : ranks_(ranks), mark_(std::move(mark)), sequence_(sequence) {}

  bool poll() override {
    if (done_) return true;
    const Mark::State state = mark_->state();
    if (state == Mark::State::kReached) {
      ranks_.finished(sequence_);
      done_ = true;
    } else if (state == Mark::State::kFailed) {
      fail(mark_->error());
    } else if (const std::string error = ranks_.error(); !error.empty()) {
      fail(error);
    }
    return done_;
  }

  CommResult wait(Seconds deadline) override {
    if (poll_until([&] { return poll(); }, deadline)) return result_;
    return ranks_.fail(
        Outcome::kTimedOut,
        fmt::format("the sum over GPUs did not complete within {:.1f} s: a peer is gone, stopped "
                    "or behind",
                    deadline.count()));
  }

 private:
  void fail(const std::string& text) {
    result_ = ranks_.fail(Outcome::kFailed, "the sum over GPUs: " + text);
    done_ = true;
  }

  NcclCommunicator& ranks_;
  std::unique_ptr<Mark> mark_;
  std::int64_t sequence_;
  CommResult result_;
  bool done_ = false;
};

std::unique_ptr<Operation> NcclCommunicator::sum_on_device(const DeviceSpan& values) {
  const char* kind = values.type == ElementType::kFloat ? "fp32 sum" : "bf16 sum";
  const std::int64_t sequence = log_.start(kind, values.bytes());
  const auto refuse = [&](Outcome outcome, const std::string& text) {
    return finished_operation(fail(outcome, "starting the sum over GPUs: " + text));
  };
  if (!handle_) return refuse(Outcome::kFailed, "the communicator was given up");
  try {
    queue_->select_device();
    queue_->follow_compute();
    if (const auto text = library_.sum(handle_, values, queue_->stream()); !text.empty()) {
      return refuse(Outcome::kFailed, text);
    }
    if (const auto text = settle(options_.launch_deadline); !text.empty()) {
      const bool late = error().empty();
      return refuse(late ? Outcome::kTimedOut : Outcome::kFailed, text);
    }
    return std::make_unique<NcclOperation>(*this, queue_->mark(), sequence);
  } catch (const Error& error) {
    return refuse(Outcome::kFailed, error.what());
  }
}

}  // namespace

std::unique_ptr<Communicator> make_nccl(std::unique_ptr<Communicator> bootstrap,
                                        std::unique_ptr<DeviceQueue> queue, NcclOptions options,
                                        NcclLibrary& library) {
  return std::make_unique<NcclCommunicator>(std::move(bootstrap), std::move(queue),
                                            std::move(options), library);
}

}  // namespace lacuna::comm
