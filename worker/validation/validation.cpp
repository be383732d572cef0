#include "worker/validation/validation.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <utility>

#include "base/error.h"
#include "base/text/parse_json.h"
#include "evaluation/prediction/subset_evaluation.h"

namespace lacuna::worker {
namespace {

struct Mean {
  double sum = 0;
  int count = 0;
  void add(double value) {
    sum += value;
    ++count;
  }
  double value() const { return count > 0 ? sum / count : 0; }
};

using Means = std::map<std::string, Mean>;

Json to_json(const Means& means) {
  Json object = Json::object();
  for (const auto& [name, mean] : means) object[name] = mean.value();
  return object;
}

Json to_json(const std::map<std::string, Means>& tables) {
  Json object = Json::object();
  for (const auto& [name, means] : tables) object[name] = to_json(means);
  return object;
}

// Scores as text that keeps every bit: [[case id, subset, [dice of each region], [hd95]], ...].
Json to_json(const std::vector<evaluation::CaseScore>& scores) {
  Json list = Json::array();
  for (const auto& each : scores) {
    Json dice = Json::array(), hd95 = Json::array();
    for (const auto& region : each.regions) {
      const bool predicted = !std::isnan(region.dice);
      dice.push_back(predicted ? Json(region.dice) : Json());
      hd95.push_back(predicted ? Json(region.hd95_mm) : Json());
    }
    list.push_back({each.case_id, each.subset, dice, hd95});
  }
  return list;
}

// What one rank has to say: scores, and the cases that it could not read.
struct Part {
  Json scores, unread = Json::array();
};

// Reasons travel in a message of fixed length: many damaged cases must not fill it.
constexpr std::size_t kReasonLength = 300, kReasons = 40;

// A path in a reason may hold any bytes, and cutting may split a character.
Json utf8(const std::string& text) {
  return parse_json(Json(text).dump(-1, ' ', false, Json::error_handler_t::replace), "a reason");
}

// The cases of one rank, with a common decision after each round of cases; nullopt: stopped.
class Share {
 public:
  Share(RankGroup& ranks, bool shared, const std::function<bool()>& go_on)
      : ranks_(ranks), shared_(shared), go_on_(go_on) {}

  std::optional<Part> score(methods::Method& method, const data::Cohort& cohort,
                            const std::vector<int>& cases, ValidationCases& files,
                            const ValidationOptions& wanted) {
    const int count = shared_ ? ranks_.trainers() : 1, mine = shared_ ? ranks_.rank() : 0;
    const int total = static_cast<int>(cases.size());
    evaluation::EvaluationOptions options;
    for (int p = mine; p < total; p += count) {
      options.cases.push_back(cases[static_cast<std::size_t>(p)]);
    }
    const int rounds = (total + count - 1) / count;
    const int last = static_cast<int>(options.cases.size());
    options.hd95 = wanted.hd95;
    options.patch = wanted.patch;
    options.progress = [&](int done, int) { return goes_on(done < rounds); };
    options.alive = [&] { ranks_.beat(); };
    options.open = [&](const data::CaseInfo& info) -> const data::CaseFile& {
      return files.open(info);
    };
    Part part;
    options.unread = [&](const evaluation::UnreadCase& unread) {
      part.unread.push_back(
          {{"case", unread.case_id}, {"reason", utf8(unread.reason.substr(0, kReasonLength))}});
    };
    part.scores = to_json(evaluation::evaluate(method, cohort, options));
    // A rank with fewer cases takes part in the decision after the last round.
    if (!stopped_ && last < rounds) goes_on(false);
    if (stopped_) return std::nullopt;
    return part;
  }

 private:
  bool goes_on(bool more_to_come) {
    const bool stop = !go_on_();
    const bool any = shared_ ? ranks_.any(stop, "the validation", kPatience) : stop;
    stopped_ = any && more_to_come;
    return !stopped_;
  }

  RankGroup& ranks_;
  const bool shared_;
  const std::function<bool()>& go_on_;
  bool stopped_ = false;
};

// All scores in case order, from those of each rank.
std::vector<Json> in_case_order(const std::vector<Json>& by_rank, const data::Cohort& cohort,
                                const std::vector<int>& cases) {
  std::vector<Json> all;
  for (std::size_t p = 0; p < cases.size(); ++p) {
    const std::string& id = cohort.cases[static_cast<std::size_t>(cases[p])].id;
    for (const Json& each : by_rank[p % by_rank.size()]) {
      if (each.at(0) == id) all.push_back(each);
    }
  }
  return all;
}

}  // namespace

const data::CaseFile& ValidationCases::open(const data::CaseInfo& info) {
  Entry& entry = entries_[info.id];
  if (entry.problem.empty() && !entry.file) {
    try {
      auto file = std::make_unique<data::CaseFile>(cohort_, info);
      file->verify();
      entry.file = std::move(file);
    } catch (const DataError& error) {
      entry.problem = error.what();
    }
  }
  if (!entry.file) throw DataError(entry.problem);
  return *entry.file;
}

std::optional<ValidationScore> validate(methods::Method& method, const data::Cohort& cohort,
                                        const std::vector<int>& cases, ValidationCases& files,
                                        const ValidationOptions& options, RankGroup& ranks,
                                        bool shared, const std::function<bool()>& go_on) {
  const auto start = std::chrono::steady_clock::now();
  method.module().eval();
  method.invalidate_evaluation_cache();
  const auto mine = Share(ranks, shared, go_on).score(method, cohort, cases, files, options);
  method.module().train();
  if (!mine) return std::nullopt;
  std::vector<Json> by_rank = {mine->scores};
  Json unread = mine->unread;
  if (shared && ranks.trainers() > 1) {
    by_rank.clear();
    unread.clear();
    const std::string text = Json{mine->scores, mine->unread}.dump();
    for (const std::string& each : ranks.gather(text, "the scores", kPatience)) {
      const Json part = parse_json(each, "the scores of a rank");
      by_rank.push_back(part.at(0));
      unread.insert(unread.end(), part.at(1).begin(), part.at(1).end());
    }
  }
  const std::size_t scored = cases.size() - unread.size();

  Mean all;
  Means regions, subsets;
  std::map<std::string, Means> dice_table, hd95_table;  // by subset, then region
  for (const Json& each : in_case_order(by_rank, cohort, cases)) {
    const auto subset = each.at(1).get<data::SubsetMask>();
    const std::string name = cohort.modalities.format(subset);
    for (std::size_t r = 0; r < each.at(2).size(); ++r) {
      const std::string& region = cohort.regions[r].name;
      if (each.at(2).at(r).is_null()) continue;  // a region that the method does not predict
      const double dice = each.at(2).at(r);
      all.add(dice);
      regions[region].add(dice);
      subsets[name].add(dice);
      dice_table[name][region].add(dice);
      if (options.hd95) hd95_table[name][region].add(each.at(3).at(r));
    }
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  Json detail = {{"score", all.value()},
                 {"regions", to_json(regions)},
                 {"subsets", to_json(subsets)},
                 {"table", to_json(dice_table)},
                 {"cases", scored},
                 {"seconds", took.count()}};
  if (!unread.empty()) {
    detail["skipped_cases"] = unread.size();
    if (unread.size() > kReasons) unread.erase(unread.begin() + kReasons, unread.end());
    detail["skipped"] = std::move(unread);
  }
  if (options.hd95) detail["hd95"] = to_json(hd95_table);
  return ValidationScore{all.value(), std::move(detail)};
}

}  // namespace lacuna::worker
