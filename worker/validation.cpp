#include "worker/validation.h"

#include <chrono>
#include <map>

#include <torch/types.h>

#include "evaluation/subset_evaluation.h"

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

Json to_json(const std::map<std::string, Mean>& means) {
  Json object = Json::object();
  for (const auto& [name, mean] : means) object[name] = mean.value();
  return object;
}

}  // namespace

std::optional<ValidationScore> validate(methods::Method& method, const data::Cohort& cohort,
                                        const std::vector<int>& cases,
                                        const std::optional<data::Extent>& patch,
                                        const std::function<bool(int, int)>& go_on) {
  const auto start = std::chrono::steady_clock::now();
  bool stopped = false;
  evaluation::EvaluationOptions options;
  options.cases = cases;
  options.hd95 = false;
  options.patch = patch;
  options.progress = [&](int done, int total) {
    stopped |= !go_on(done, total) && done < total;
    return !stopped;
  };
  method.module().eval();
  method.invalidate_evaluation_cache();
  const auto scores = evaluation::evaluate(method, cohort, options);
  method.module().train();
  if (stopped) return std::nullopt;

  Mean all;
  std::map<std::string, Mean> regions, subsets;
  for (const auto& each : scores) {
    for (std::size_t r = 0; r < each.regions.size(); ++r) {
      const double dice = each.regions[r].dice;
      all.add(dice);
      regions[cohort.regions[r].name].add(dice);
      subsets[cohort.modalities.format(each.subset)].add(dice);
    }
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  return ValidationScore{all.value(),
                         {{"score", all.value()},
                          {"regions", to_json(regions)},
                          {"subsets", to_json(subsets)},
                          {"cases", cases.size()},
                          {"seconds", took.count()}}};
}

}  // namespace lacuna::worker
