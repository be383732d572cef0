#include "comm/counted.h"

#include <chrono>
#include <utility>

#include "base/metrics/metric_names.h"

namespace lacuna::comm {
namespace {

struct Waits {
  explicit Waits(Metrics& metrics)
      : sum(metrics.histogram(metric::kCollectiveTime, {"sum"})),
        maximum(metrics.histogram(metric::kCollectiveTime, {"maximum"})),
        broadcast(metrics.histogram(metric::kCollectiveTime, {"broadcast"})),
        gather(metrics.histogram(metric::kCollectiveTime, {"gather"})) {}
  Histogram sum, maximum, broadcast, gather;
};

template <typename Call>
CommResult timed(const Histogram& histogram, const Call& call) {
  const auto start = std::chrono::steady_clock::now();
  CommResult result = call();
  histogram.observe(Seconds(std::chrono::steady_clock::now() - start).count());
  return result;
}

class CountedOperation final : public Operation {
 public:
  CountedOperation(std::unique_ptr<Operation> inner, const Histogram& histogram)
      : inner_(std::move(inner)), histogram_(histogram) {}
  bool poll() override { return inner_->poll(); }
  CommResult wait(Seconds deadline) override {
    return timed(histogram_, [&] { return inner_->wait(deadline); });
  }

 private:
  const std::unique_ptr<Operation> inner_;
  const Histogram histogram_;
};

class Counted final : public Communicator {
 public:
  Counted(Communicator& inner, const Waits& waits) : inner_(inner), waits_(waits) {}
  Counted(std::unique_ptr<Communicator> inner, const Waits& waits)
      : owned_(std::move(inner)), inner_(*owned_), waits_(waits) {}

  int rank() const override { return inner_.rank(); }
  int size() const override { return inner_.size(); }
  std::string name() const override { return inner_.name(); }
  std::unique_ptr<Operation> sum(std::span<float> values) override {
    return counted(inner_.sum(values), waits_.sum);
  }
  std::unique_ptr<Operation> sum_bf16(std::span<std::uint16_t> values) override {
    return counted(inner_.sum_bf16(values), waits_.sum);
  }
  std::unique_ptr<Operation> sum_on_device(const DeviceSpan& values) override {
    return counted(inner_.sum_on_device(values), waits_.sum);
  }
  std::unique_ptr<Operation> maximum(std::span<std::int64_t> values) override {
    return counted(inner_.maximum(values), waits_.maximum);
  }
  std::unique_ptr<Operation> broadcast(std::span<std::byte> bytes, int root) override {
    return counted(inner_.broadcast(bytes, root), waits_.broadcast);
  }
  CommResult gather_all(std::span<const std::byte> mine, std::vector<std::vector<std::byte>>& all,
                        Seconds deadline) override {
    return timed(waits_.gather, [&] { return inner_.gather_all(mine, all, deadline); });
  }
  CommResult barrier(Seconds deadline) override { return inner_.barrier(deadline); }
  std::unique_ptr<Communicator> split(int colour) override { return counted(inner_.split(colour)); }
  std::unique_ptr<Communicator> split_host(int colour) override {
    return counted(inner_.split_host(colour));
  }
  void abort() override { inner_.abort(); }

 private:
  std::unique_ptr<Communicator> counted(std::unique_ptr<Communicator> part) const {
    return part ? std::make_unique<Counted>(std::move(part), waits_) : nullptr;
  }
  static std::unique_ptr<Operation> counted(std::unique_ptr<Operation> operation,
                                            const Histogram& histogram) {
    return std::make_unique<CountedOperation>(std::move(operation), histogram);
  }

  const std::unique_ptr<Communicator> owned_;
  Communicator& inner_;
  const Waits waits_;
};

}  // namespace

std::unique_ptr<Communicator> count_waits(Communicator& inner, Metrics& metrics) {
  return std::make_unique<Counted>(inner, Waits(metrics));
}

}  // namespace lacuna::comm
