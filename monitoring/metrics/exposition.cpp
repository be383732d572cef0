#include "monitoring/metrics/exposition.h"

#include <cmath>
#include <cstdint>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/files/hash.h"
#include "base/metrics/metric_names.h"

namespace lacuna::monitoring {
namespace {

namespace fs = std::filesystem;

const char* type_of(MetricKind kind) {
  switch (kind) {
    case MetricKind::kCounter:
      return "counter";
    case MetricKind::kHistogram:
      return "histogram";
    default:
      return "gauge";
  }
}

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

std::string escaped(std::string_view text, bool quotes) {
  std::string result;
  for (const char c : text) {
    if (c == '\\' || (quotes && c == '"')) result += '\\';
    if (c == '\n') {
      result += "\\n";
    } else {
      result += c;
    }
  }
  return result;
}

// name="value" of a series, with commas between.
std::string labels_of(const MetricSample& sample, const std::string& run, int rank) {
  const Metric& metric = *sample.metric;
  std::string text = fmt::format("run=\"{}\"", escaped(run, true));
  if (metric.per_rank) text += fmt::format(",rank=\"{}\"", rank);
  for (std::size_t i = 0; i < sample.labels.size(); ++i) {
    text += fmt::format(",{}=\"{}\"", metric.labels[i], escaped(sample.labels[i], true));
  }
  return text;
}

void add_series(std::string& text, const MetricSample& sample, const std::string& run, int rank) {
  const std::string_view name = sample.metric->name;
  const std::string labels = labels_of(sample, run, rank);
  if (sample.metric->kind != MetricKind::kHistogram) {
    text += fmt::format("{}{{{}}} {}\n", name, labels, number(sample.value));
    return;
  }
  std::uint64_t below = 0;  // buckets are cumulative
  for (std::size_t b = 0; b < sample.counts.size(); ++b) {
    below += sample.counts[b];
    const bool last = b >= kBucketBounds.size();
    text += fmt::format("{}_bucket{{{},le=\"{}\"}} {}\n", name, labels,
                        last ? "+Inf" : number(kBucketBounds[b]), below);
  }
  text += fmt::format("{}_sum{{{}}} {}\n{}_count{{{}}} {}\n", name, labels, number(sample.value),
                      name, labels, below);
}

fs::path plain(const fs::path& directory) {
  const fs::path absolute = fs::absolute(directory).lexically_normal();
  return absolute.has_filename() ? absolute : absolute.parent_path();
}

}  // namespace

std::string exposition(const std::string& run, const std::vector<coordinator::RankSamples>& ranks) {
  std::string text;
  for (const Metric* metric : metric::kAll) {
    bool first = true;
    for (const auto& [rank, samples] : ranks) {
      for (const MetricSample& sample : samples) {
        if (sample.metric != metric || (!metric->per_rank && rank != 0)) continue;
        if (std::exchange(first, false)) {
          text += fmt::format("# HELP {} {}\n# TYPE {} {}\n", metric->name,
                              escaped(metric->help, false), metric->name, type_of(metric->kind));
        }
        add_series(text, sample, run, rank);
      }
    }
  }
  return text;
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
