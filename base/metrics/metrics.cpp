#include "base/metrics/metrics.h"

#include <algorithm>

namespace lacuna {

std::string clean_label(std::string_view text) {
  std::string clean(text.substr(0, kLongestLabel));
  for (char& letter : clean) {
    const bool kept = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                      (letter >= '0' && letter <= '9') ||
                      std::string_view("_.:+-").find(letter) != std::string_view::npos;
    if (!kept) letter = '_';
  }
  return clean;
}

Metrics::Series* Metrics::find_or_make(const Metric& metric, const Labels& labels, double start) {
  Labels clean(metric.label_count());
  for (std::size_t i = 0; i < std::min(clean.size(), labels.size()); ++i) {
    clean[i] = clean_label(labels[i]);
  }
  const std::lock_guard lock(mutex_);
  for (Series& each : series_) {
    if (each.metric == &metric && each.labels == clean) return &each;
  }
  if (series_.size() >= kMostSeries) return nullptr;
  Series& made = series_.emplace_back();
  made.metric = &metric;
  made.labels = std::move(clean);
  made.value.store(start, std::memory_order_relaxed);
  return &made;
}

Counter Metrics::counter(const Metric& metric, const Labels& labels) {
  Counter handle;
  if (Series* series = find_or_make(metric, labels, 0)) handle.cell_ = &series->value;
  return handle;
}

Gauge Metrics::gauge(const Metric& metric, const Labels& labels, double start) {
  Gauge handle;
  if (Series* series = find_or_make(metric, labels, start)) handle.cell_ = &series->value;
  return handle;
}

Histogram Metrics::histogram(const Metric& metric, const Labels& labels) {
  Histogram handle;
  if (Series* series = find_or_make(metric, labels, 0)) handle.cell_ = &series->histogram;
  return handle;
}

MetricSamples Metrics::samples() const {
  MetricSamples all;
  const std::lock_guard lock(mutex_);
  all.reserve(series_.size());
  for (const Series& each : series_) {
    MetricSample& sample = all.emplace_back();
    sample.metric = each.metric;
    sample.labels = each.labels;
    sample.value = each.value.load(std::memory_order_relaxed);
    if (each.metric->kind != MetricKind::kHistogram) continue;
    sample.value = each.histogram.sum.load(std::memory_order_relaxed);
    for (const auto& count : each.histogram.counts) {
      sample.counts.push_back(count.load(std::memory_order_relaxed));
    }
  }
  return all;
}

}  // namespace lacuna
