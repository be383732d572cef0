// Which rank reads which training cases.
//
// global: any rank reads any case; position p of a batch belongs to rank p mod ranks. local: every
// case belongs to one rank, balanced by bytes; by institution, whole institutions do. The balance
// is greedy, largest first to the rank that has least: the fullest rank holds at most
// 4/3 - 1/(3 ranks) of what the fullest one of the best division would hold. Ties go to the lower
// case and rank, so that a plan depends on its arguments only. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/text/json.h"
#include "data/cache/cohort.h"

namespace lacuna::data {

struct ShardPlan {
  struct Shard {
    std::vector<int> cases;  // indices into Cohort::cases, ascending
    std::uint64_t bytes = 0;
  };
  bool local = false;
  std::vector<Shard> shards;  // by rank; global: each holds all cases
};

// Items (bytes each) to ranks: the rank of every item.
std::vector<int> balance(const std::vector<std::uint64_t>& bytes, int ranks);

ShardPlan plan_global(const Cohort& cohort, const std::vector<int>& cases, int ranks);
// Throws ConfigError when there are fewer cases, or institutions, than ranks.
ShardPlan plan_local(const Cohort& cohort, const std::vector<int>& cases, int ranks,
                     bool by_institution);

// shard_plan.json (docs/run-directory.md); cases by id.
Json to_json(const ShardPlan& plan, const Cohort& cohort);
// Throws ConfigError for a case that the cohort does not have.
ShardPlan shard_plan_from_json(const Json& json, const Cohort& cohort);
// "2 ranks, local: 10 cases, 1.2 GB each ..." for people.
std::string summary(const ShardPlan& plan);

}  // namespace lacuna::data
