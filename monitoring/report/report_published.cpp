// What papers print for the cohort of the runs, beside the runs: means over the 15 subsets, and
// each subset. Only where the cohort is theirs, by profile and number of cases.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include <fmt/format.h>

#include "monitoring/report/html.h"
#include "monitoring/report/published.h"
#include "monitoring/report/report_view.h"

namespace lacuna::monitoring {
namespace {

const std::vector<std::string> kRegions = {"ET", "TC", "WT"};

struct Cohort {
  std::string profile;
  std::int64_t cases = 0;
  bool operator<(const Cohort& other) const {
    return std::tie(profile, cases) < std::tie(other.profile, other.cases);
  }
};

Cohort cohort_of(const RunRecord& run) {
  const Json cohort = run.provenance.is_object() ? run.provenance.value("cohort", Json()) : Json();
  if (!cohort.is_object()) return {};
  const Json profile = cohort.value("profile", Json()), cases = cohort.value("cases", Json());
  return {profile.is_string() ? profile.get<std::string>() : "",
          cases.is_number_integer() ? cases.get<std::int64_t>() : 0};
}

// A row or column of the tables: a run of ours, or a method of a paper.
struct Entry {
  std::string title, source;  // HTML
  bool ours = false;
  const EvaluationRecord* evaluation = nullptr;
  const PublishedMethod* method = nullptr;

  double value(Metric metric, const std::string& region, data::SubsetMask subset) const {
    if (method) return method->value(metric, region, modalities().format(subset));
    return evaluation->mean(metric, subset, index(region));
  }
  double mean(Metric metric, const std::string& region) const {
    return method ? method->mean(metric, region)
                  : evaluation->mean_of_region(metric, index(region));
  }
  double mean_dice() const {
    double sum = 0;
    for (const std::string& region : kRegions) sum += mean(Metric::kDice, region);
    return sum / static_cast<double>(kRegions.size());
  }
  static const data::ModalitySet& modalities() {
    static const data::ModalitySet set({"FLAIR", "T1", "T1c", "T2"});
    return set;
  }

 private:
  std::size_t index(const std::string& region) const {
    const auto& regions = evaluation->regions();
    return static_cast<std::size_t>(std::find(regions.begin(), regions.end(), region) -
                                    regions.begin());
  }
};

bool is_comparable(const EvaluationRecord& evaluation) {
  const auto& regions = evaluation.regions();
  return evaluation.modalities.names() == Entry::modalities().names() &&
         std::all_of(kRegions.begin(), kRegions.end(), [&](const std::string& region) {
           return std::find(regions.begin(), regions.end(), region) != regions.end();
         });
}

std::string mean_table(const std::vector<Entry>& entries) {
  const bool hd95 = std::any_of(entries.begin(), entries.end(), [](const Entry& entry) {
    return !entry.ours && std::isfinite(entry.mean(Metric::kHd95, kRegions[0]));
  });
  std::string html =
      "<div class=\"scroll\"><table class=\"published\"><thead><tr><th rowspan=\"2\">Method</th>"
      "<th rowspan=\"2\">Source</th><th colspan=\"4\" class=\"group\">Dice %, mean of 15 "
      "subsets</th>";
  if (hd95) html += "<th colspan=\"3\" class=\"group\">HD95 mm</th>";
  html += "</tr><tr><th>ET</th><th>TC</th><th>WT</th><th>mean</th>";
  html += hd95 ? "<th>ET</th><th>TC</th><th>WT</th></tr>" : "</tr>";
  html += "</thead><tbody>";
  for (const Entry& entry : entries) {
    html += fmt::format("<tr{}><th scope=\"row\">{}</th><td class=\"source\">{}</td>",
                        entry.ours ? " class=\"ours\"" : "", entry.title, entry.source);
    for (const std::string& region : kRegions) {
      html += fmt::format("<td>{}</td>", percent(entry.mean(Metric::kDice, region)));
    }
    html += fmt::format("<td><b>{}</b></td>", percent(entry.mean_dice()));
    for (const std::string& region : kRegions) {
      if (hd95) html += fmt::format("<td>{}</td>", millimetres(entry.mean(Metric::kHd95, region)));
    }
    html += "</tr>";
  }
  return html + "</tbody></table></div>";
}

std::string subset_table(const std::vector<Entry>& entries, const std::string& region) {
  std::string html = fmt::format(
      "<details><summary>{}: Dice % of each subset</summary><div class=\"scroll\"><table "
      "class=\"published\"><thead><tr><th>Available</th>",
      region);
  for (const Entry& entry : entries) {
    html += fmt::format("<th>{}<br><small>{}</small></th>", entry.title, entry.source);
  }
  html += "</tr></thead><tbody>";
  for (const data::SubsetMask subset : Entry::modalities().subsets()) {
    html += fmt::format("<tr><th scope=\"row\">{}</th>", Entry::modalities().format(subset));
    for (const Entry& entry : entries) {
      html += fmt::format("<td{}>{}</td>", entry.ours ? " class=\"ours\"" : "",
                          percent(entry.value(Metric::kDice, region, subset)));
    }
    html += "</tr>";
  }
  return html + "</tbody></table></div></details>";
}

std::string protocols(const std::vector<PublishedMethod>& methods) {
  std::set<std::string> known;
  std::string text;
  for (const PublishedMethod& method : methods) {
    const std::string each =
        fmt::format("{}: {}", escape_html(method.source), escape_html(method.protocol));
    if (known.insert(each).second) text += (text.empty() ? "" : "; ") + each;
  }
  return text + ".";
}

std::string cohort_part(const ReportView& view, const Cohort& cohort,
                        const std::vector<std::size_t>& runs,
                        const std::vector<PublishedMethod>& methods) {
  std::vector<Entry> entries;
  for (const std::size_t run : runs) {
    entries.push_back({run_name(view, run), "this report", true, &view.evaluation(run), nullptr});
  }
  for (const PublishedMethod& method : methods) {
    entries.push_back(
        {escape_html(method.method), escape_html(method.source), false, nullptr, &method});
  }
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return a.mean_dice() > b.mean_dice() ||
           (std::isfinite(a.mean_dice()) && !std::isfinite(b.mean_dice()));
  });
  std::string html = fmt::format(
      "<p>The cohort is {} with {} cases, as in these papers. Their test cases are not those of "
      "this evaluation, and each paper trains and evaluates in its own way, so a difference of a "
      "point or two means nothing. {}</p>",
      escape_html(cohort.profile), cohort.cases, protocols(methods));
  html += mean_table(entries);
  for (const std::string& region : kRegions) html += subset_table(entries, region);
  return html;
}

}  // namespace

std::string published_section(ReportView& view) {
  std::map<Cohort, std::vector<std::size_t>> cohorts;
  for (const std::size_t run : view.ranking()) {
    if (is_comparable(view.evaluation(run))) cohorts[cohort_of(view.runs()[run])].push_back(run);
  }
  std::string html;
  for (const auto& [cohort, runs] : cohorts) {
    const auto methods = published_methods(cohort.profile, cohort.cases);
    if (!methods.empty()) html += cohort_part(view, cohort, runs, methods);
  }
  if (html.empty()) return "";
  return "<section id=\"published\"><h2>Published numbers</h2>" + html + "</section>";
}

}  // namespace lacuna::monitoring
