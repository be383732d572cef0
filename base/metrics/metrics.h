// The figures of one process, counted by any layer and read by another thread at any moment.
//
//   Metrics metrics;
//   const Counter steps = metrics.counter(metric::kTrainSteps);   // at start: the series exists
//   steps.add();                                                  // in the step
//
// Handles are small, copied freely and wait-free: an atomic addition or store. One made without a
// registry does nothing, so that code counts without asking whether anybody watches. They must not
// outlive the registry. Making series takes a lock; asking for the same one again gives the same.
//
// The size is bounded, since every rank's figures travel in its heartbeats: series beyond
// kMostSeries are not kept (their handles do nothing), label values are cut and cleaned.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <limits>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/metrics/metric.h"

namespace lacuna {

inline constexpr std::size_t kMostSeries = 256;
inline constexpr std::size_t kLongestLabel = 64;

// At most kLongestLabel letters, digits and "_.:+-"; anything else, a slash above all, becomes '_'.
std::string clean_label(std::string_view text);

class Counter {
 public:
  void add(double amount = 1) const noexcept {
    if (cell_) cell_->fetch_add(amount, std::memory_order_relaxed);
  }
  // For what is counted elsewhere; must not fall.
  void raise_to(double total) const noexcept {
    if (cell_) cell_->store(total, std::memory_order_relaxed);
  }

 private:
  friend class Metrics;
  std::atomic<double>* cell_ = nullptr;
};

class Gauge {
 public:
  void set(double value) const noexcept {
    if (cell_) cell_->store(value, std::memory_order_relaxed);
  }

 private:
  friend class Metrics;
  std::atomic<double>* cell_ = nullptr;
};

struct HistogramCell {
  std::array<std::atomic<std::uint64_t>, kBucketBounds.size() + 1> counts{};
  std::atomic<double> sum{0};
};

class Histogram {
 public:
  void observe(double seconds) const noexcept {
    if (!cell_) return;
    std::size_t bucket = 0;
    while (bucket < kBucketBounds.size() && seconds > kBucketBounds[bucket]) ++bucket;
    cell_->counts[bucket].fetch_add(1, std::memory_order_relaxed);
    cell_->sum.fetch_add(seconds, std::memory_order_relaxed);
  }

 private:
  friend class Metrics;
  HistogramCell* cell_ = nullptr;
};

// One series at one moment.
struct MetricSample {
  const Metric* metric = nullptr;
  std::vector<std::string> labels;    // values, in the order of metric->labels
  double value = 0;                   // of a histogram: the sum
  std::vector<std::uint64_t> counts;  // of a histogram: per bucket, not cumulative; else empty
};
using MetricSamples = std::vector<MetricSample>;

class Metrics {
 public:
  using Labels = std::vector<std::string>;

  Counter counter(const Metric& metric, const Labels& labels = {});
  // A gauge is NaN until it is set, unless it has a value to start from.
  Gauge gauge(const Metric& metric, const Labels& labels = {},
              double start = std::numeric_limits<double>::quiet_NaN());
  Histogram histogram(const Metric& metric, const Labels& labels = {});

  MetricSamples samples() const;

 private:
  struct Series {
    const Metric* metric;
    Labels labels;
    std::atomic<double> value;
    HistogramCell histogram;
  };
  // Null when there is no room.
  Series* find_or_make(const Metric& metric, const Labels& labels, double start);

  mutable std::mutex mutex_;
  std::deque<Series> series_;  // never moves its elements
};

// The same for a registry that may be missing.
inline Counter counter(Metrics* metrics, const Metric& metric, const Metrics::Labels& labels = {}) {
  return metrics ? metrics->counter(metric, labels) : Counter();
}
inline Histogram histogram(Metrics* metrics, const Metric& metric,
                           const Metrics::Labels& labels = {}) {
  return metrics ? metrics->histogram(metric, labels) : Histogram();
}
inline Gauge gauge(Metrics* metrics, const Metric& metric, const Metrics::Labels& labels = {},
                   double start = std::numeric_limits<double>::quiet_NaN()) {
  return metrics ? metrics->gauge(metric, labels, start) : Gauge();
}

}  // namespace lacuna
