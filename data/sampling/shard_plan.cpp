#include "data/sampling/shard_plan.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "base/error.h"

namespace lacuna::data {
namespace {

const CaseInfo& info_of(const Cohort& cohort, int index) {
  return cohort.cases[static_cast<std::size_t>(index)];
}

// Cases that must stay together.
std::vector<std::vector<int>> bundles(const Cohort& cohort, const std::vector<int>& cases,
                                      bool by_institution) {
  std::vector<std::vector<int>> result;
  std::map<std::string, std::size_t> known;
  for (const int index : cases) {
    const auto [place, is_new] =
        known.try_emplace(info_of(cohort, index).institution, result.size());
    if (is_new || !by_institution) result.emplace_back();
    result[by_institution ? place->second : result.size() - 1].push_back(index);
  }
  return result;
}

std::uint64_t bytes_of(const Cohort& cohort, const std::vector<int>& cases) {
  std::uint64_t total = 0;
  for (const int index : cases) total += info_of(cohort, index).bytes;
  return total;
}

}  // namespace

std::vector<int> balance(const std::vector<std::uint64_t>& bytes, int ranks) {
  std::vector<std::size_t> order(bytes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return bytes[a] > bytes[b]; });
  std::vector<std::uint64_t> load(static_cast<std::size_t>(ranks), 0);
  std::vector<int> owner(bytes.size());
  for (const std::size_t item : order) {
    const auto least = std::min_element(load.begin(), load.end());
    *least += bytes[item];
    owner[item] = static_cast<int>(least - load.begin());
  }
  return owner;
}

ShardPlan plan_global(const Cohort& cohort, const std::vector<int>& cases, int ranks) {
  ShardPlan plan;
  plan.shards.assign(static_cast<std::size_t>(ranks), {cases, bytes_of(cohort, cases)});
  return plan;
}

ShardPlan plan_local(const Cohort& cohort, const std::vector<int>& cases, int ranks,
                     bool by_institution) {
  const auto items = bundles(cohort, cases, by_institution);
  if (std::ssize(items) < ranks) {
    throw_error<ConfigError>(
        "data.shard is local: {} {} cannot be divided among {} ranks. Use fewer ranks, or "
        "data.shard global.",
        items.size(), by_institution ? "institutions" : "training cases", ranks);
  }
  std::vector<std::uint64_t> bytes;
  for (const auto& item : items) bytes.push_back(bytes_of(cohort, item));
  const std::vector<int> owner = balance(bytes, ranks);
  ShardPlan plan;
  plan.local = true;
  plan.shards.resize(static_cast<std::size_t>(ranks));
  for (std::size_t i = 0; i < items.size(); ++i) {
    ShardPlan::Shard& shard = plan.shards[static_cast<std::size_t>(owner[i])];
    shard.cases.insert(shard.cases.end(), items[i].begin(), items[i].end());
    shard.bytes += bytes[i];
  }
  for (ShardPlan::Shard& shard : plan.shards) std::sort(shard.cases.begin(), shard.cases.end());
  return plan;
}

Json to_json(const ShardPlan& plan, const Cohort& cohort) {
  Json shards = Json::array();
  for (std::size_t rank = 0; rank < plan.shards.size(); ++rank) {
    Json ids = Json::array();
    for (const int index : plan.shards[rank].cases) ids.push_back(info_of(cohort, index).id);
    shards.push_back({{"rank", rank}, {"bytes", plan.shards[rank].bytes}, {"cases", ids}});
  }
  return {{"shard", plan.local ? "local" : "global"}, {"ranks", shards}};
}

ShardPlan shard_plan_from_json(const Json& json, const Cohort& cohort) {
  std::map<std::string, int> index_of;
  for (std::size_t i = 0; i < cohort.cases.size(); ++i) {
    index_of[cohort.cases[i].id] = static_cast<int>(i);
  }
  ShardPlan plan;
  plan.local = json.at("shard") == "local";
  for (const Json& each : json.at("ranks")) {
    ShardPlan::Shard& shard = plan.shards.emplace_back();
    shard.bytes = each.at("bytes");
    for (const std::string id : each.at("cases")) {
      const auto found = index_of.find(id);
      if (found == index_of.end()) {
        throw_error<ConfigError>("the shard plan names case {}, which the cohort does not have",
                                 id);
      }
      shard.cases.push_back(found->second);
    }
  }
  return plan;
}

std::string summary(const ShardPlan& plan) {
  std::string text = fmt::format("shard plan: {}, {} rank{}", plan.local ? "local" : "global",
                                 plan.shards.size(), plan.shards.size() == 1 ? "" : "s");
  for (std::size_t rank = 0; rank < plan.shards.size(); ++rank) {
    const auto& [cases, bytes] = plan.shards[rank];
    text += fmt::format("{} rank {}: {} cases, {:.1f} MB", rank == 0 ? ";" : ",", rank,
                        cases.size(), static_cast<double>(bytes) / 1e6);
  }
  return text;
}

}  // namespace lacuna::data
