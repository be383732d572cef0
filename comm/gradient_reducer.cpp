#include "comm/gradient_reducer.h"

#include <algorithm>
#include <functional>

#include <fmt/ranges.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include "base/error.h"
#include "base/files/hash.h"
#include "comm/gather_texts.h"
#include "comm/peer_lost.h"
#include "comm/tensor_sum.h"

namespace lacuna::comm {
namespace {

struct Bucket {
  at::Tensor flat;    // gradients of its parameters, one after the other
  at::Tensor narrow;  // the same as bfloat16, when gradients travel so
  int parameters = 0;
  int missing = 0;  // parameters without gradient in the last backward so far
  std::unique_ptr<Operation> operation;
};

// Parameters keep their memory format in the bucket: optimisers are fastest when gradients have
// their parameters' strides.
at::Tensor view_of(const at::Tensor& flat, std::int64_t offset, const at::Tensor& parameter) {
  if (parameter.is_non_overlapping_and_dense()) {
    return flat.as_strided(parameter.sizes(), parameter.strides(), offset);
  }
  return flat.narrow(0, offset, parameter.numel()).view(parameter.sizes());
}

class ReadyHook final : public torch::autograd::PostAccumulateGradHook {
 public:
  explicit ReadyHook(std::function<void()> call) : call_(std::move(call)) {}
  void operator()(const torch::autograd::Variable&) override { call_(); }

 private:
  std::function<void()> call_;
};

void unhook_all(const GradientReducer::NamedParameters& parameters) {
  for (const auto& [name, parameter] : parameters) {
    torch::autograd::impl::set_post_acc_grad_hooks(parameter, nullptr);
  }
}

}  // namespace

class GradientReducer::State {
 public:
  State(Communicator& ranks, NamedParameters parameters, ReducerOptions options)
      : ranks_(ranks), parameters_(std::move(parameters)), options_(options) {
    compare_lists();
    pack();
  }

  void begin(int backwards, const std::function<void()>* on_gradient) {
    if (backwards < 1) throw_error<Error>("a step needs at least one backward pass");
    backwards_ = backwards;
    on_gradient_ = on_gradient;
    next_bucket_ = 0;
    seen_.assign(parameters_.size(), 0);
    for (std::size_t p = 0; p < parameters_.size(); ++p) {
      parameters_[p].second.mutable_grad() = views_[p];
    }
    for (Bucket& bucket : buckets_) {
      bucket.flat.zero_();
      bucket.missing = bucket.parameters;
    }
  }

  // Called by autograd when parameter p has its gradient of one backward pass.
  void ready(std::size_t p) {
    if (backwards_ == 0) return;
    if (on_gradient_) (*on_gradient_)();
    if (++seen_[p] != backwards_) return;
    --buckets_[bucket_of_[p]].missing;
    // In order only: every rank must start the same operations in the same sequence.
    while (next_bucket_ < buckets_.size() && buckets_[next_bucket_].missing == 0) launch();
    // MPI moves data only inside its calls.
    for (std::size_t b = 0; b < next_bucket_; ++b) buckets_[b].operation->poll();
  }

  CommResult finish() {
    while (next_bucket_ < buckets_.size()) launch();
    backwards_ = 0;
    on_gradient_ = nullptr;
    unhook();
    const auto start = std::chrono::steady_clock::now();
    CommResult result;
    for (Bucket& bucket : buckets_) {
      result = bucket.operation->wait(options_.deadline);
      if (!result.ok()) return result;  // the operation stays: its buffer may still be written
      bucket.operation.reset();
      if (options_.bf16) bucket.flat.copy_(bucket.narrow);
    }
    wait_ += std::chrono::steady_clock::now() - start;
    return result;
  }

  // Between begin() and finish() only: a parameter has one place for a hook, and several reducers
  // may share it in turn.
  void hook(const std::shared_ptr<State>& self);
  void unhook() { unhook_all(parameters_); }
  void detach() {
    if (backwards_ > 0) unhook();
    for (auto& [name, parameter] : parameters_) parameter.mutable_grad() = at::Tensor();
  }

  std::vector<bool> touched() const {
    std::vector<bool> result;
    for (const int passes : seen_) result.push_back(passes > 0);
    return result;
  }

  double wait_seconds() const { return wait_.count(); }
  std::int64_t bytes() const {
    std::int64_t total = 0;
    for (const Bucket& bucket : buckets_) total += bucket.flat.numel() * (options_.bf16 ? 2 : 4);
    return total;
  }

 private:
  void launch() {
    Bucket& bucket = buckets_[next_bucket_++];
    if (options_.bf16) bucket.narrow.copy_(bucket.flat);
    bucket.operation = sum_tensor(ranks_, options_.bf16 ? bucket.narrow : bucket.flat);
  }

  void compare_lists() {
    std::string list;
    for (const auto& [name, parameter] : parameters_) {
      const at::Device device = parameters_.front().second.device();
      if (parameter.scalar_type() != at::kFloat || parameter.device() != device) {
        throw_error<Error>("parameter {} is {} on {}: the reducer takes fp32, all on {}", name,
                           c10::toString(parameter.scalar_type()), parameter.device().str(),
                           device.str());
      }
      list += fmt::format("{} {} fp32 strides {}\n", name, fmt::join(parameter.sizes(), "x"),
                          fmt::join(parameter.strides(), " "));
    }
    const std::string mine = hash_hex(list);
    std::vector<std::string> all;
    require(gather_texts(ranks_, mine, all, options_.deadline), "comparing parameter lists");
    for (std::size_t rank = 0; rank < all.size(); ++rank) {
      if (all[rank] != mine) {
        throw_error<Error>(
            "rank {} has other parameters than rank {} ({} on this one): the ranks run different "
            "programs or configurations. Start all of them from one run directory.",
            rank, ranks_.rank(), parameters_.size());
      }
    }
  }

  // Buckets in reverse order of the parameters; a bucket is closed once it is full.
  void pack() {
    bucket_of_.resize(parameters_.size());
    views_.resize(parameters_.size());
    std::size_t end = parameters_.size();
    while (end > 0) {
      const std::int64_t limit =
          (buckets_.empty() ? options_.first_bucket_bytes : options_.bucket_bytes) / 4;
      std::size_t begin = end;
      std::int64_t size = 0;
      while (begin > 0 && (size == 0 || size + parameters_[begin - 1].second.numel() <= limit)) {
        size += parameters_[--begin].second.numel();
      }
      add_bucket(begin, end, size);
      end = begin;
    }
  }

  void add_bucket(std::size_t begin, std::size_t end, std::int64_t size) {
    Bucket bucket;
    bucket.flat = at::zeros({size}, parameters_[begin].second.options().requires_grad(false));
    if (options_.bf16) bucket.narrow = at::empty_like(bucket.flat, at::kBFloat16);
    bucket.parameters = static_cast<int>(end - begin);
    std::int64_t offset = 0;
    for (std::size_t p = end; p-- > begin;) {
      const at::Tensor& parameter = parameters_[p].second;
      views_[p] = view_of(bucket.flat, offset, parameter);
      bucket_of_[p] = buckets_.size();
      offset += parameter.numel();
    }
    buckets_.push_back(std::move(bucket));
  }

  Communicator& ranks_;
  NamedParameters parameters_;
  ReducerOptions options_;
  std::vector<Bucket> buckets_;
  std::vector<std::size_t> bucket_of_;  // per parameter
  std::vector<at::Tensor> views_;       // per parameter, into its bucket
  std::vector<int> seen_;               // backward passes of this step, per parameter
  int backwards_ = 0;                   // 0 outside begin()..finish()
  const std::function<void()>* on_gradient_ = nullptr;
  std::size_t next_bucket_ = 0;  // the first that was not launched
  Seconds wait_{0};
};

void GradientReducer::State::hook(const std::shared_ptr<State>& self) {
  for (std::size_t p = 0; p < parameters_.size(); ++p) {
    torch::autograd::impl::set_post_acc_grad_hooks(
        parameters_[p].second, std::make_unique<ReadyHook>([state = std::weak_ptr(self), p] {
          if (const auto alive = state.lock()) alive->ready(p);
        }));
  }
}

GradientReducer::GradientReducer(Communicator& ranks, NamedParameters parameters,
                                 ReducerOptions options)
    : state_(std::make_shared<State>(ranks, std::move(parameters), options)) {}

GradientReducer::~GradientReducer() { state_->detach(); }

void GradientReducer::begin(int backwards, const std::function<void()>* on_gradient) {
  state_->begin(backwards, on_gradient);
  state_->hook(state_);
}

CommResult GradientReducer::finish() { return state_->finish(); }

std::vector<bool> GradientReducer::touched() const { return state_->touched(); }

double GradientReducer::wait_seconds() const { return state_->wait_seconds(); }

std::int64_t GradientReducer::bytes_per_step() const { return state_->bytes(); }

GradientHooks::GradientHooks(GradientReducer::NamedParameters parameters,
                             const std::function<void()>& call)
    : parameters_(std::move(parameters)) {
  for (const auto& [name, parameter] : parameters_) {
    torch::autograd::impl::set_post_acc_grad_hooks(parameter, std::make_unique<ReadyHook>(call));
  }
}

GradientHooks::~GradientHooks() { unhook_all(parameters_); }

}  // namespace lacuna::comm
