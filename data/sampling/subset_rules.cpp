#include "data/sampling/subset_rules.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>
#include <utility>

#include "base/error.h"

namespace lacuna::data {
namespace {

std::vector<int> members(SubsetMask subset) {
  std::vector<int> indices;
  for (int m = 0; m < 32; ++m) {
    if (contains(subset, m)) indices.push_back(m);
  }
  return indices;
}

// Uniform over the subsets of `from` that have `size` members.
SubsetMask draw_of_size(Stream& stream, SubsetMask from, int size) {
  std::vector<int> pool = members(from);
  stream.shuffle(std::span<int>(pool));
  SubsetMask subset = 0;
  for (int i = 0; i < size; ++i) subset |= SubsetMask{1} << pool[static_cast<std::size_t>(i)];
  return subset;
}

// The subset of `from` whose members are the set bits of `code` in order.
SubsetMask decode(std::uint64_t code, SubsetMask from) {
  SubsetMask subset = 0;
  for (const int m : members(from)) {
    if ((code & 1) != 0) subset |= SubsetMask{1} << m;
    code >>= 1;
  }
  return subset;
}

std::uint64_t subsets_of(SubsetMask from) { return (std::uint64_t{1} << count(from)) - 1; }

class FixedRule final : public SubsetRule {
 public:
  explicit FixedRule(SubsetMask subset) : subset_(subset) {}
  std::vector<SubsetMask> draw(Stream&, const DrawPosition&, SubsetMask, int draws) const override {
    return std::vector<SubsetMask>(static_cast<std::size_t>(draws), subset_);
  }
  bool is_random(const DrawPosition&) const override { return false; }

 private:
  SubsetMask subset_;
};

// Rules whose draws are independent of each other.
class IndependentRule : public SubsetRule {
 public:
  std::vector<SubsetMask> draw(Stream& stream, const DrawPosition& at, SubsetMask from,
                               int draws) const override {
    std::vector<SubsetMask> drawn;
    for (int i = 0; i < draws; ++i) drawn.push_back(draw_one(stream, at, from));
    return drawn;
  }
  bool is_random(const DrawPosition&) const override { return true; }

 private:
  virtual SubsetMask draw_one(Stream& stream, const DrawPosition& at, SubsetMask from) const = 0;
};

class UniformRule final : public IndependentRule {
  SubsetMask draw_one(Stream& stream, const DrawPosition&, SubsetMask from) const override {
    return decode(1 + stream.below(subsets_of(from)), from);
  }
};

class BernoulliRule final : public IndependentRule {
 public:
  explicit BernoulliRule(double keep) : keep_(keep) {}

 private:
  SubsetMask draw_one(Stream& stream, const DrawPosition&, SubsetMask from) const override {
    SubsetMask subset = 0;
    while (subset == 0) {
      for (const int m : members(from)) {
        if (stream.chance(keep_)) subset |= SubsetMask{1} << m;
      }
    }
    return subset;
  }

  double keep_;
};

// Not bernoulli with p = 0.5: nothing is drawn again, so what keeps no modality goes to the single
// ones, which are the likelier for it.
class CoinsRule final : public IndependentRule {
  SubsetMask draw_one(Stream& stream, const DrawPosition&, SubsetMask from) const override {
    SubsetMask subset = 0;
    for (const int m : members(from)) {
      if (stream.chance(0.5)) subset |= SubsetMask{1} << m;
    }
    return subset != 0 ? subset : draw_of_size(stream, from, 1);
  }
};

class CardinalityRule final : public IndependentRule {
 public:
  explicit CardinalityRule(int max_size) : max_size_(max_size) {}

 private:
  SubsetMask draw_one(Stream& stream, const DrawPosition&, SubsetMask from) const override {
    const auto sizes = static_cast<std::uint64_t>(std::min(count(from), max_size_));
    return draw_of_size(stream, from, 1 + static_cast<int>(stream.below(sizes)));
  }

  int max_size_;
};

class CurriculumRule final : public IndependentRule {
 public:
  explicit CurriculumRule(int modalities) : modalities_(modalities) {}

 private:
  SubsetMask draw_one(Stream& stream, const DrawPosition& at, SubsetMask from) const override {
    const std::int64_t level = at.step * modalities_ / std::max<std::int64_t>(at.steps, 1);
    const auto most_dropped =
        static_cast<std::uint64_t>(std::clamp<std::int64_t>(level, 0, count(from) - 1));
    return draw_of_size(stream, from,
                        count(from) - static_cast<int>(stream.below(most_dropped + 1)));
  }

  int modalities_;
};

class DistinctRule final : public SubsetRule {
 public:
  std::vector<SubsetMask> draw(Stream& stream, const DrawPosition&, SubsetMask from,
                               int draws) const override {
    std::vector<SubsetMask> drawn;
    while (std::ssize(drawn) < draws) {
      const SubsetMask subset = decode(1 + stream.below(subsets_of(from)), from);
      // Without replacement while subsets are left; then a new round begins.
      const auto round =
          drawn.size() / subsets_of(from) * static_cast<std::size_t>(subsets_of(from));
      if (std::find(drawn.begin() + static_cast<std::ptrdiff_t>(round), drawn.end(), subset) ==
          drawn.end()) {
        drawn.push_back(subset);
      }
    }
    return drawn;
  }
  bool is_random(const DrawPosition&) const override { return true; }
  bool wants_distinct(const DrawPosition&) const override { return true; }
};

class ScheduleRule final : public SubsetRule {
 public:
  struct Entry {
    std::int64_t until_step;  // exclusive
    std::unique_ptr<SubsetRule> rule;
  };
  explicit ScheduleRule(std::vector<Entry> entries) : entries_(std::move(entries)) {}

  std::vector<SubsetMask> draw(Stream& stream, const DrawPosition& at, SubsetMask from,
                               int draws) const override {
    return current(at).draw(stream, at, from, draws);
  }
  bool is_random(const DrawPosition& at) const override { return current(at).is_random(at); }
  bool wants_distinct(const DrawPosition& at) const override {
    return current(at).wants_distinct(at);
  }

 private:
  const SubsetRule& current(const DrawPosition& at) const {
    for (const Entry& entry : entries_) {
      if (at.step < entry.until_step) return *entry.rule;
    }
    return *entries_.back().rule;
  }

  std::vector<Entry> entries_;
};

std::unique_ptr<SubsetRule> make_schedule(const Json& list, const ModalitySet& modalities,
                                          const std::string& where) {
  if (!list.is_array() || list.empty()) {
    throw_error<ConfigError>(
        "{}: policy schedule needs a list `schedule`, for example "
        "[{{\"until_step\": 1000, \"policy\": \"full\"}}, {{\"policy\": \"uniform\"}}]",
        where);
  }
  const Schema schema(schedule_entry_options());
  std::vector<ScheduleRule::Entry> entries;
  std::int64_t previous = 0;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string place = fmt::format("{}.schedule[{}]", where, i);
    const Json entry = schema.resolve(list[i], place);
    const bool last = i + 1 == list.size();
    if (entry["until_step"].is_null() != last) {
      throw_error<ConfigError>("{}: every entry but the last needs until_step, the last has none",
                               place);
    }
    const std::int64_t until =
        last ? std::numeric_limits<std::int64_t>::max() : entry["until_step"].get<std::int64_t>();
    if (until <= previous) {
      throw_error<ConfigError>("{}: until_step is {} and must be more than {}", place, until,
                               previous);
    }
    previous = until;
    entries.push_back({until, make_subset_rule(entry, modalities, place)});
  }
  return std::make_unique<ScheduleRule>(std::move(entries));
}

// Of policy cardinality: `max_size`, or every size. Another policy would not look at it.
int largest_size(const Json& entry, const ModalitySet& modalities, const std::string& where) {
  const Json& given = entry.at("max_size");
  if (given.is_null()) return modalities.size();
  if (entry.at("policy") != "cardinality") {
    throw_error<ConfigError>(
        "{}: max_size is {}, which only policy cardinality knows; policy is {}", where,
        given.dump(), entry.at("policy").dump());
  }
  if (given > modalities.size()) {
    throw_error<ConfigError>("{}: max_size is {}, the cohort has {} modalities: {}", where,
                             given.dump(), modalities.size(), modalities.format(modalities.full()));
  }
  return given.get<int>();
}

}  // namespace

std::unique_ptr<SubsetRule> make_subset_rule(const Json& entry, const ModalitySet& modalities,
                                             const std::string& where) {
  if (entry.at("policy").is_null()) {
    throw_error<ConfigError>("{}: policy is missing; for example {{\"policy\": \"uniform\"}}",
                             where);
  }
  const auto policy = entry.at("policy").get<std::string>();
  const int largest = largest_size(entry, modalities, where);
  // What a case lacks is cut by the caller, so both mean "everything there is".
  if (policy == "full" || policy == "natural")
    return std::make_unique<FixedRule>(modalities.full());
  if (policy == "uniform") return std::make_unique<UniformRule>();
  if (policy == "bernoulli") return std::make_unique<BernoulliRule>(entry.at("p").get<double>());
  if (policy == "coins") return std::make_unique<CoinsRule>();
  if (policy == "cardinality") return std::make_unique<CardinalityRule>(largest);
  if (policy == "curriculum") return std::make_unique<CurriculumRule>(modalities.size());
  if (policy == "distinct") return std::make_unique<DistinctRule>();
  if (policy == "schedule") return make_schedule(entry.at("schedule"), modalities, where);
  if (entry.at("subset").is_null()) {
    throw_error<ConfigError>("{}: policy fixed needs `subset`, for example \"{}\"", where,
                             modalities.format(modalities.full()));
  }
  return std::make_unique<FixedRule>(modalities.parse(entry.at("subset").get<std::string>()));
}

}  // namespace lacuna::data
