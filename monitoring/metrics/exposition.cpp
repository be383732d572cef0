#include "monitoring/metrics/exposition.h"

#include <limits>

#include "base/files/hash.h"
#include "base/metrics/metric_names.h"

namespace lacuna::monitoring {
namespace {

namespace fs = std::filesystem;

prometheus::MetricType type_of(MetricKind kind) {
  switch (kind) {
    case MetricKind::kCounter:
      return prometheus::MetricType::Counter;
    case MetricKind::kHistogram:
      return prometheus::MetricType::Histogram;
    default:
      return prometheus::MetricType::Gauge;
  }
}

prometheus::ClientMetric to_client(const MetricSample& sample, const std::string& run, int rank) {
  const Metric& metric = *sample.metric;
  prometheus::ClientMetric client;
  client.label.push_back({"run", run});
  if (metric.per_rank) client.label.push_back({"rank", std::to_string(rank)});
  for (std::size_t i = 0; i < sample.labels.size(); ++i) {
    client.label.push_back({std::string(metric.labels[i]), sample.labels[i]});
  }
  client.counter.value = client.gauge.value = sample.value;
  if (metric.kind != MetricKind::kHistogram) return client;
  client.histogram.sample_sum = sample.value;
  std::uint64_t below = 0;
  for (std::size_t b = 0; b < sample.counts.size(); ++b) {
    below += sample.counts[b];
    client.histogram.bucket.push_back({below, b < kBucketBounds.size()
                                                  ? kBucketBounds[b]
                                                  : std::numeric_limits<double>::infinity()});
  }
  client.histogram.sample_count = below;
  return client;
}

fs::path plain(const fs::path& directory) {
  const fs::path absolute = fs::absolute(directory).lexically_normal();
  return absolute.has_filename() ? absolute : absolute.parent_path();
}

}  // namespace

std::vector<prometheus::MetricFamily> to_families(
    const std::string& run, const std::vector<coordinator::RankSamples>& ranks) {
  std::vector<prometheus::MetricFamily> families;
  for (const Metric* metric : metric::kAll) {
    prometheus::MetricFamily family{
        std::string(metric->name), std::string(metric->help), type_of(metric->kind), {}};
    for (const auto& [rank, samples] : ranks) {
      for (const MetricSample& sample : samples) {
        if (sample.metric != metric || (!metric->per_rank && rank != 0)) continue;
        family.metric.push_back(to_client(sample, run, rank));
      }
    }
    if (!family.metric.empty()) families.push_back(std::move(family));
  }
  return families;
}

std::string run_label(const fs::path& run_directory) {
  const fs::path directory = plain(run_directory);
  constexpr std::size_t kDigits = 6, kRoom = kLongestLabel - kDigits - 1;
  return clean_label(directory.filename().string().substr(0, kRoom)) + "-" +
         hash_hex(directory.string()).substr(0, kDigits);
}

std::string sweep_label(const fs::path& run_directory) {
  const fs::path runs = plain(run_directory).parent_path();
  std::error_code ignored;
  if (runs.filename() != "runs" || !fs::exists(runs.parent_path() / "plan.json", ignored)) {
    return "";
  }
  return clean_label(runs.parent_path().filename().string());
}

}  // namespace lacuna::monitoring
