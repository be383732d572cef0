#include "data/sampling/subset_policy.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/random.h"
#include "data/sampling/subset_rules.h"

namespace lacuna::data {
namespace {

constexpr const char* kWhere = "subsets";

Option policy_option(std::vector<std::string> allowed) {
  Option option;
  option.path = "policy";
  option.type = Option::Type::kString;
  option.fallback = "null";
  option.meaning = "How the modalities that a sample keeps are drawn; null: as the method's card.";
  option.allowed = std::move(allowed);
  option.nullable = true;
  return option;
}

Option keep_option() {
  Option option;
  option.path = "p";
  option.type = Option::Type::kNumber;
  option.fallback = "0.5";
  option.meaning = "Policy bernoulli: probability that a modality is kept.";
  option.minimum = 0.01;  // below, rejecting empty draws takes long and means `one modality`
  option.maximum = 1;
  return option;
}

Option size_option() {
  Option option;
  option.path = "max_size";
  option.type = Option::Type::kInteger;
  option.fallback = "null";
  option.meaning = "Policy cardinality: the most modalities that a subset has; null: all.";
  option.minimum = 1;
  option.maximum = 32;  // what a subset can hold
  option.nullable = true;
  return added_later(option);
}

Option subset_option() {
  Option option;
  option.path = "subset";
  option.type = Option::Type::kString;
  option.fallback = "null";
  option.meaning = "Policy fixed: the modalities that are kept, as in FLAIR+T1c.";
  option.nullable = true;
  return option;
}

std::vector<std::string> plain_policies() {
  return {"full",       "uniform", "bernoulli", "coins",   "cardinality",
          "curriculum", "fixed",   "natural",   "distinct"};
}

bool all_differ(std::vector<SubsetMask> subsets) {
  std::sort(subsets.begin(), subsets.end());
  return std::adjacent_find(subsets.begin(), subsets.end()) == subsets.end();
}

class Policy final : public SubsetPolicy {
 public:
  Policy(std::unique_ptr<SubsetRule> rule, bool batch_level, SubsetMask full)
      : rule_(std::move(rule)), batch_level_(batch_level), full_(full) {}

  std::vector<SubsetMask> draw(const DrawPosition& at, SubsetMask available,
                               int draws) const override {
    Stream stream(at.seed, Purpose::kSubsetDraw, at.index);
    const bool random = rule_->is_random(at);
    const bool can_differ = draws <= (std::int64_t{1} << count(available)) - 1;
    for (;;) {
      std::vector<SubsetMask> drawn =
          rule_->draw(stream, at, batch_level_ ? full_ : available, draws);
      bool good = true;
      for (SubsetMask& subset : drawn) {
        subset &= available;
        good = good && subset != 0;
      }
      if (rule_->wants_distinct(at) && can_differ) good = good && all_differ(drawn);
      if (good) return drawn;
      if (!random) return std::vector<SubsetMask>(drawn.size(), available);
    }
  }

 private:
  std::unique_ptr<SubsetRule> rule_;
  bool batch_level_;
  SubsetMask full_;
};

}  // namespace

std::vector<Option> subset_options() {
  std::vector<std::string> policies = plain_policies();
  policies.emplace_back("schedule");
  Option granularity;
  granularity.path = "granularity";
  granularity.type = Option::Type::kString;
  granularity.fallback = "\"batch\"";
  granularity.meaning = "One draw per sample, or one that the samples of a batch share.";
  granularity.allowed = {"sample", "batch"};
  Option schedule;
  schedule.path = "schedule";
  schedule.type = Option::Type::kAny;
  schedule.fallback = "null";
  schedule.meaning =
      "Policy schedule: a list of policies, each but the last with until_step (exclusive).";
  return {policy_option(policies), granularity,     keep_option(),
          size_option(),           subset_option(), schedule};
}

std::vector<Option> schedule_entry_options() {
  Option until;
  until.path = "until_step";
  until.type = Option::Type::kInteger;
  until.fallback = "null";
  until.meaning = "First step of the run at which the next entry holds.";
  until.unit = "steps";
  until.nullable = true;
  until.minimum = 1;
  return {policy_option(plain_policies()), keep_option(), size_option(), subset_option(), until};
}

std::unique_ptr<SubsetPolicy> make_subset_policy(const Json& section,
                                                 const ModalitySet& modalities) {
  const Json resolved = Schema(subset_options()).resolve(section, kWhere);
  return std::make_unique<Policy>(make_subset_rule(resolved, modalities, kWhere),
                                  resolved["granularity"] == "batch", modalities.full());
}

bool is_batch_level(const Json& section) {
  return Schema(subset_options()).resolve(section, kWhere)["granularity"] == "batch";
}

}  // namespace lacuna::data
