#include "base/metrics/metrics_json.h"

#include <cmath>
#include <limits>
#include <string>

#include "base/error.h"
#include "base/metrics/metric_names.h"

namespace lacuna {
namespace {

constexpr std::size_t kBuckets = kBucketBounds.size() + 1;

MetricSample read_sample(const Metric& metric, const Json& entry) {
  const std::size_t labels = metric.label_count();
  const std::size_t counts = metric.kind == MetricKind::kHistogram ? kBuckets : 0;
  if (!entry.is_array() || entry.size() != labels + 1 + counts) {
    throw_error<DataError>("heartbeat: a series of {} has the wrong length", metric.name);
  }
  MetricSample sample;
  sample.metric = &metric;
  for (std::size_t i = 0; i < labels; ++i) {
    sample.labels.push_back(clean_label(entry[i].get<std::string>()));
  }
  const Json& value = entry[labels];
  sample.value = value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
  for (std::size_t i = 0; i < counts; ++i) {
    const Json& count = entry[labels + 1 + i];
    if (!count.is_number_unsigned()) {
      throw_error<DataError>("heartbeat: {} has a count that is none", metric.name);
    }
    sample.counts.push_back(count.get<std::uint64_t>());
  }
  return sample;
}

}  // namespace

Json to_json(const MetricSamples& samples) {
  Json json = Json::object();
  for (const MetricSample& each : samples) {
    if (!each.metric->per_rank) continue;
    Json entry = Json::array();
    for (const std::string& label : each.labels) entry.push_back(label);
    entry.push_back(std::isfinite(each.value) ? Json(each.value) : Json());
    for (const std::uint64_t count : each.counts) entry.push_back(count);
    json[std::string(each.metric->name)].push_back(std::move(entry));
  }
  return json;
}

MetricSamples metric_samples_from_json(const Json& json) {
  MetricSamples samples;
  try {
    if (!json.is_object()) throw_error<DataError>("heartbeat: metrics are no object");
    for (const auto& [name, entries] : json.items()) {
      const Metric* metric = metric::find(name);
      if (!metric || !metric->per_rank || !entries.is_array()) continue;
      for (const Json& entry : entries) {
        if (samples.size() >= kMostSeries) throw_error<DataError>("heartbeat: too many metrics");
        samples.push_back(read_sample(*metric, entry));
      }
    }
  } catch (const Json::exception& error) {
    throw_error<DataError>("heartbeat: {}", error.what());
  }
  return samples;
}

}  // namespace lacuna
