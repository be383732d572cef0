#include "evaluation/statistics/comparison.h"

#include <map>
#include <utility>

#include <fmt/format.h>

#include "evaluation/statistics/summary.h"

namespace lacuna::evaluation {
namespace {}  // namespace

std::vector<SubsetComparison> compare(const std::vector<CaseScore>& scores,
                                      const std::vector<CaseScore>& other,
                                      const data::ModalitySet& modalities) {
  std::map<std::pair<data::SubsetMask, std::string>, double> known;
  for (const CaseScore& score : other) known[{score.subset, score.case_id}] = mean_dice(score);
  std::vector<SubsetComparison> rows;
  std::vector<double> p;
  for (const data::SubsetMask subset : modalities.subsets()) {
    std::vector<double> ours, theirs;
    for (const CaseScore& score : scores) {
      const auto found = known.find({subset, score.case_id});
      if (score.subset != subset || found == known.end()) continue;
      ours.push_back(mean_dice(score));
      theirs.push_back(found->second);
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
