#include "monitoring/doctor/doctor.h"

#include <algorithm>

namespace lacuna::monitoring {
namespace {

const char* word(Finding::Verdict verdict) {
  switch (verdict) {
    case Finding::Verdict::kGood:
      return "good";
    case Finding::Verdict::kAdvice:
      return "advice";
    case Finding::Verdict::kProblem:
      return "problem";
  }
  return "";
}

}  // namespace

std::vector<Finding> examine(const Path& directory, const std::optional<Path>& cache) {
  std::vector<Finding> findings = judge_software();
  const auto add = [&](const std::vector<Finding>& more) {
    findings.insert(findings.end(), more.begin(), more.end());
  };
  const MachineFacts machine = gather_machine(directory);
  add(judge_machine(machine));
  add({probe_disk(posix_file_system(), steady_clock(), directory)});
  add(judge_gpus(gather_gpus()));
  if (cache) add({probe_loader(steady_clock(), *cache, machine.cores)});
  return findings;
}

bool has_problem(const std::vector<Finding>& findings) {
  return std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.verdict == Finding::Verdict::kProblem;
  });
}

Json to_json(const std::vector<Finding>& findings) {
  Json list = Json::array();
  for (const Finding& finding : findings) {
    list.push_back({{"topic", finding.topic},
                    {"name", finding.name},
                    {"value", finding.value},
                    {"verdict", word(finding.verdict)},
                    {"advice", finding.advice}});
  }
  return {{"findings", list}, {"ok", !has_problem(findings)}};
}

}  // namespace lacuna::monitoring
