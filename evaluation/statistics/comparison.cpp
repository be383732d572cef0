#include "evaluation/statistics/comparison.h"

#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "evaluation/statistics/summary.h"

namespace lacuna::evaluation {
namespace {

std::string text_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

bool differ(const std::string& a, const std::string& b) {
  return !a.empty() && !b.empty() && a != b;
}

}  // namespace

EvaluationIdentity identity_of(const Json& about, const std::vector<CaseScore>& scores) {
  EvaluationIdentity identity{text_at(about, "hd95_definition"),
                              text_at(about, "empty_rule"),
                              text_at(about, "part"),
                              text_at(about, "cohort"),
                              {}};
  for (const CaseScore& score : scores) identity.cases.try_emplace(score.case_id, score.checksum);
  return identity;
}

std::string why_not_comparable(const EvaluationIdentity& a, const EvaluationIdentity& b) {
  if (differ(a.hd95, b.hd95)) {
    return fmt::format("other definitions: HD95 {} here, {} there", a.hd95, b.hd95);
  }
  if (differ(a.empty_rule, b.empty_rule)) {
    return fmt::format("other definitions: \"{}\" here, \"{}\" there", a.empty_rule, b.empty_rule);
  }
  if (differ(a.part, b.part)) return fmt::format("part {} here, {} there", a.part, b.part);
  int other = 0, unknown = 0;
  std::string example;
  for (const auto& [id, checksum] : a.cases) {
    const auto found = b.cases.find(id);
    if (found == b.cases.end()) continue;
    if (checksum.empty() || found->second.empty()) {
      ++unknown;
    } else if (checksum != found->second && other++ == 0) {
      example = id;
    }
  }
  if (other > 0) {
    return fmt::format(
        "other data: {} case{} of the same name {} other content, {} for one (cohort fingerprint "
        "{} here, {} there)",
        other, other == 1 ? "" : "s", other == 1 ? "has" : "have", example, a.cohort, b.cohort);
  }
  if (unknown > 0 && differ(a.cohort, b.cohort)) {
    return fmt::format(
        "another cohort: fingerprint {} here, {} there, and the content of the cases was not "
        "written down; evaluate the older one again",
        a.cohort, b.cohort);
  }
  return "";
}

std::vector<SubsetComparison> compare(const std::vector<CaseScore>& scores,
                                      const std::vector<CaseScore>& other,
                                      const data::ModalitySet& modalities) {
  std::map<std::pair<data::SubsetMask, std::string>, const CaseScore*> known;
  for (const CaseScore& score : other) known[{score.subset, score.case_id}] = &score;
  std::vector<SubsetComparison> rows;
  std::vector<double> p;
  for (const data::SubsetMask subset : modalities.subsets()) {
    std::vector<double> ours, theirs;
    for (const CaseScore& score : scores) {
      const auto found = known.find({subset, score.case_id});
      if (score.subset != subset || found == known.end()) continue;
      if (differ(score.checksum, found->second->checksum)) continue;  // another case of that name
      const double here = mean_dice(score), there = mean_dice(*found->second);
      if (std::isnan(here) || std::isnan(there)) continue;  // no region was scored
      ours.push_back(here);
      theirs.push_back(there);
    }
    if (ours.empty()) continue;
    rows.push_back({subset, static_cast<int>(ours.size()), mean_of(ours), mean_of(theirs),
                    wilcoxon(ours, theirs)});
    p.push_back(rows.back().test.p);
  }
  const auto adjusted = holm(p);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i].p_holm = adjusted[i];
  return rows;
}

void adjust_together(std::vector<std::vector<SubsetComparison>>& comparisons) {
  std::vector<double> p;
  for (const auto& rows : comparisons) {
    for (const SubsetComparison& row : rows) p.push_back(row.test.p);
  }
  const auto adjusted = holm(p);
  std::size_t next = 0;
  for (auto& rows : comparisons) {
    for (SubsetComparison& row : rows) row.p_holm = adjusted[next++];
  }
}

std::string comparison_csv(const std::vector<SubsetComparison>& rows,
                           const data::ModalitySet& modalities) {
  std::string text = "subset,cases,dice_mean,other_dice_mean,difference,wilcoxon_p,p_holm,exact\n";
  for (const SubsetComparison& row : rows) {
    text += fmt::format("{},{},{:.17g},{:.17g},{:.17g},{:.17g},{:.17g},{}\n",
                        modalities.format(row.subset), row.cases, row.mean_dice,
                        row.other_mean_dice, row.mean_dice - row.other_mean_dice, row.test.p,
                        row.p_holm, row.test.exact ? "yes" : "no");
  }
  return text;
}

}  // namespace lacuna::evaluation
