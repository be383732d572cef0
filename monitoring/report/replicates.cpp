#include "monitoring/report/replicates.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "worker/run/run_config.h"

namespace lacuna::monitoring {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

// What decides the result besides chance.
Json configuration_of(const RunRecord& run) {
  Json keys = worker::deciding_keys(run.config);
  keys.erase("train.seed");
  keys.erase("data.split");
  return keys;
}

double mean_dice(const ReportView& view, const Replicates& group) {
  std::vector<double> values;
  for (const std::size_t run : group.runs) {
    values.push_back(view.evaluation(run).mean(Metric::kDice));
  }
  return spread_of(values).mean;
}

std::string method_of(const Json& keys) {
  const auto found = keys.find("method");
  return found != keys.end() && found->is_string() ? found->get<std::string>() : "";
}

// "unet policy=uniform": keys whose values differ among the groups of one method.
std::string label_of(const Json& keys, const std::vector<Json>& all) {
  const std::string method = method_of(keys);
  std::string label = method;
  for (const auto& [key, value] : keys.items()) {
    const std::string& name = key;
    const Json& mine = value;
    const bool differs = std::any_of(all.begin(), all.end(), [&](const Json& other) {
      return method_of(other) == method && other.value(name, Json()) != mine;
    });
    if (!differs || value.is_null()) continue;
    const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    label += (label.empty() ? "" : " ") + key.substr(key.rfind('.') + 1) + "=" + text;
  }
  return label.empty() ? "unnamed" : label;
}

}  // namespace

std::vector<Replicates> find_replicates(const ReportView& view) {
  std::vector<Json> configurations;
  std::vector<Replicates> groups;
  for (const std::size_t run : view.ranking()) {
    Json keys = configuration_of(view.runs()[run]);
    const auto found = std::find(configurations.begin(), configurations.end(), keys);
    if (found == configurations.end()) {
      configurations.push_back(std::move(keys));
      groups.push_back({"", {run}});
    } else {
      groups[static_cast<std::size_t>(found - configurations.begin())].runs.push_back(run);
    }
  }
  std::set<std::string> taken;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const std::string label = label_of(configurations[i], configurations);
    groups[i].label = label;
    for (int n = 2; !taken.insert(groups[i].label).second; ++n) {
      groups[i].label = fmt::format("{} ({})", label, n);
    }
  }
  std::stable_sort(groups.begin(), groups.end(), [&](const Replicates& a, const Replicates& b) {
    return mean_dice(view, a) > mean_dice(view, b);
  });
  return groups;
}

Spread spread_of(const std::vector<double>& values) {
  double sum = 0, squares = 0;
  int count = 0;
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    sum += value;
    ++count;
  }
  if (count == 0) return {kUnknown, kUnknown};
  const double mean = sum / count;
  for (const double value : values) {
    if (std::isfinite(value)) squares += (value - mean) * (value - mean);
  }
  return {mean, count > 1 ? std::sqrt(squares / (count - 1)) : kUnknown};
}

std::vector<evaluation::CaseScore> pooled_scores(const ReportView& view,
                                                 const std::vector<std::size_t>& runs) {
  struct Sum {
    evaluation::CaseScore score;
    int count = 0;
  };
  std::map<std::pair<std::string, data::SubsetMask>, Sum> sums;
  for (const std::size_t run : runs) {
    for (const evaluation::CaseScore& score : view.evaluation(run).scores) {
      Sum& sum = sums[{score.case_id, score.subset}];
      if (++sum.count == 1) {
        sum.score = score;
        continue;
      }
      const std::size_t regions = std::min(score.regions.size(), sum.score.regions.size());
      for (std::size_t r = 0; r < regions; ++r) sum.score.regions[r].dice += score.regions[r].dice;
    }
  }
  std::vector<evaluation::CaseScore> pooled;
  for (auto& [key, sum] : sums) {
    for (evaluation::RegionScore& region : sum.score.regions) region.dice /= sum.count;
    pooled.push_back(std::move(sum.score));
  }
  return pooled;
}

}  // namespace lacuna::monitoring
