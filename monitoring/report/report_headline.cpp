// The first thing a reader sees: which method is the most robust, in words with numbers, and the
// table of all runs.
#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include <fmt/format.h>

#include "monitoring/report/html.h"
#include "monitoring/report/replicates.h"
#include "monitoring/report/report_view.h"

namespace lacuna::monitoring {
namespace {

// Scores of a method, averaged over its runs that differ in seed and fold alone: with other options
// it is another method.
struct MethodScore {
  std::string name;
  std::size_t best_run = 0;
  int runs = 0;
  double all_subsets = 0, one = 0, full = 0;  // mean Dice
};

std::vector<MethodScore> score_methods(const ReportView& view) {
  std::vector<MethodScore> methods;
  for (const Replicates& group : find_replicates(view)) {
    const std::size_t first = group.runs.front();
    const std::string& alone = group.runs.size() == 1 ? view.runs()[first].label : group.label;
    MethodScore method{view.runs()[first].method.empty() ? "" : alone, first};
    for (const std::size_t run : group.runs) {
      const EvaluationRecord& evaluation = view.evaluation(run);
      ++method.runs;
      method.all_subsets += evaluation.mean(Metric::kDice);
      method.one += evaluation.mean_of_size(Metric::kDice, 1);
      method.full += evaluation.mean_of_size(Metric::kDice, evaluation.modalities.size());
    }
    method.all_subsets /= method.runs;
    method.one /= method.runs;
    method.full /= method.runs;
    methods.push_back(method);
  }
  std::stable_sort(methods.begin(), methods.end(), [](const MethodScore& a, const MethodScore& b) {
    return a.all_subsets > b.all_subsets;
  });
  return methods;
}

std::string name_of(const MethodScore& method) {
  return method.name.empty() ? "the unnamed run" : escape_html(method.name);
}

std::string points(double difference) {
  const std::string number = percent(std::abs(difference));
  return number + (number == "1.0" ? " point" : " points");
}

std::string sentences(const ReportView& view, const std::vector<MethodScore>& methods) {
  const EvaluationRecord& evaluation = view.evaluation(view.ranking()[0]);
  const MethodScore& best = methods[0];
  const std::size_t subsets = evaluation.modalities.subsets().size();
  const int all = evaluation.modalities.size();
  if (methods.size() == 1) {
    return fmt::format(
        "<p class=\"lead\"><b>{}</b> reaches a mean Dice of <b>{}&nbsp;%</b> over the {} modality "
        "subsets.</p><p>With one modality it keeps {}&nbsp;%, with all {} it has {}&nbsp;%. Give "
        "<code>lacuna report</code> a second run to compare with.</p>",
        name_of(best), percent(best.all_subsets), subsets, percent(best.one), all,
        percent(best.full));
  }
  const MethodScore& second = methods[1];
  const double lead = best.all_subsets - second.all_subsets;
  const std::string verdict =
      percent(lead) == "0.0"
          ? fmt::format(
                "<b>{}</b> and <b>{}</b> are equally robust: mean Dice <b>{}&nbsp;%</b> "
                "over the {} modality subsets.",
                name_of(best), name_of(second), percent(best.all_subsets), subsets)
          : fmt::format(
                "<b>{}</b> is the most robust of {} methods: mean Dice <b>{}&nbsp;%</b> over "
                "the {} modality subsets, {} ahead of {} ({}&nbsp;%).",
                name_of(best), methods.size(), percent(best.all_subsets), subsets, points(lead),
                name_of(second), percent(second.all_subsets));
  return fmt::format(
      "<p class=\"lead\">{}</p><p>With a single modality {} reaches {}&nbsp;% against {}&nbsp;% "
      "({}); with all {} modalities {}&nbsp;% against {}&nbsp;% ({}).</p>",
      verdict, name_of(best), percent(best.one), percent(second.one),
      signed_percent(best.one - second.one), all, percent(best.full), percent(second.full),
      signed_percent(best.full - second.full));
}

// Numbers of cases that the run has learned from, or that chose its checkpoint, are no test.
std::string selection_notes(const ReportView& view) {
  std::map<std::string, std::vector<std::size_t>> runs_with;
  for (const std::size_t run : view.ranking()) {
    const Json& about = view.evaluation(run).about;
    std::string note = about.value("note", "");
    if (note.empty() && about.value("part", "") == "validation") {
      note = "Not a test result: validation cases chose the checkpoint.";
    }
    if (!note.empty()) runs_with[note].push_back(run);
  }
  std::string html;
  for (const auto& [note, runs] : runs_with) {
    html += "<p class=\"note\"><strong>" + escape_html(note) + "</strong>";
    for (std::size_t i = 0; runs.size() < view.ranking().size() && i < runs.size(); ++i) {
      html += (i == 0 ? " (" : ", ") + run_name(view, runs[i]) + (i + 1 == runs.size() ? ")" : "");
    }
    html += "</p>";
  }
  return html;
}

// Post-processing by size moves a mean by points: never left unsaid.
std::string processing(const ReportView& view) {
  std::string text;
  for (const std::size_t run : view.ranking()) {
    const evaluation::Summary& summary = view.evaluation(run).summary;
    for (std::size_t p = 0; p < summary.further.processed.size(); ++p) {
      text += fmt::format("{}{} {} %", text.empty() ? "" : ", ", run_name(view, run),
                          percent(summary.all.processed_dice[p]));
      text += fmt::format(" ({})", escape_html(summary.further.processed[p]));
    }
  }
  return text.empty()
             ? " Nothing was post-processed by size beyond what a method does itself."
             : " Dice after post-processing by size, in no other number here: " + text + ".";
}

std::string caveat(const ReportView& view) {
  const EvaluationRecord& evaluation = view.evaluation(view.ranking()[0]);
  const int cases = evaluation.summary.cases;
  std::string text = fmt::format(
      "<p class=\"note\">Evaluation <code>{}</code>, {} case{}; each case, subset and region "
      "counts "
      "the same.",
      escape_html(view.evaluation_name()), cases, cases == 1 ? "" : "s");
  if (cases < 20) text += " With so few cases, small differences mean little: see Comparison.";
  text += processing(view);
  return text + "</p>" + selection_notes(view);
}

std::string run_row(const ReportView& view, std::size_t run, std::size_t regions) {
  const EvaluationRecord& evaluation = view.evaluation(run);
  std::string row = fmt::format("<tr><th scope=\"row\">{}</th>", run_name(view, run));
  const Json* seed = nullptr;
  const Json& config = view.runs()[run].config;
  if (config.contains("train") && config["train"].is_object() && config["train"].contains("seed")) {
    seed = &config["train"]["seed"];
  }
  row += fmt::format("<td>{}</td><td>{}</td>", seed ? escape_html(seed->dump()) : "–",
                     grouped(view.runs()[run].last_step));
  row += fmt::format("<td><b>{}</b></td>", percent(evaluation.mean(Metric::kDice)));
  for (std::size_t region = 0; region < regions; ++region) {
    const bool there = region < evaluation.regions().size();
    row += fmt::format("<td>{}</td>",
                       there ? percent(evaluation.mean_of_region(Metric::kDice, region)) : "–");
  }
  for (int k = 1; k <= evaluation.modalities.size(); ++k) {
    row += fmt::format("<td>{}</td>", percent(evaluation.mean_of_size(Metric::kDice, k)));
  }
  return row + fmt::format("<td>{}</td></tr>", millimetres(evaluation.mean(Metric::kHd95)));
}

std::string run_table(const ReportView& view) {
  const EvaluationRecord& first = view.evaluation(view.ranking()[0]);
  std::string html =
      "<div class=\"scroll\"><table id=\"runs\"><thead><tr><th scope=\"col\" rowspan=\"2\">Run</th>"
      "<th rowspan=\"2\">Seed</th><th rowspan=\"2\">Steps</th>";
  html += fmt::format(
      "<th colspan=\"{}\" class=\"group\">Dice %, all subsets</th><th colspan=\"{}\" "
      "class=\"group\">Dice % by number of modalities</th><th class=\"group\">HD95 mm</th></tr><tr>"
      "<th>mean</th>",
      first.regions().size() + 1, first.modalities.size());
  for (const std::string& region : first.regions()) {
    html += fmt::format("<th>{}</th>", escape_html(region));
  }
  for (int k = 1; k <= first.modalities.size(); ++k) html += fmt::format("<th>{}</th>", k);
  html += "<th>mean</th></tr></thead><tbody>";
  for (const std::size_t run : view.ranking()) html += run_row(view, run, first.regions().size());
  return html + "</tbody></table></div>";
}

// Evaluations that answer another question: a row each, in no comparison.
std::string apart_table(const ReportView& view) {
  if (view.apart().empty()) return "";
  std::string html =
      "<h3>Not comparable with the others</h3><p>Scored by other definitions or on other data: "
      "these numbers are ranked and tested against nobody.</p><div class=\"scroll\"><table "
      "id=\"apart\"><thead><tr><th>Run</th><th>What differs</th><th>Dice %, all subsets</th><th>"
      "HD95 mm</th></tr></thead><tbody>";
  for (const ReportView::Apart& each : view.apart()) {
    html += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td></tr>",
                        run_name(view, each.run), escape_html(each.why),
                        percent(each.evaluation->mean(Metric::kDice)),
                        millimetres(each.evaluation->mean(Metric::kHd95)));
  }
  return html + "</tbody></table></div>";
}

}  // namespace

std::string headline_section(ReportView& view) {
  std::string html = "<section id=\"summary\" class=\"hero\"><h2>Result</h2>";
  if (view.ranking().empty()) {
    html +=
        "<p class=\"lead\">No run has been evaluated yet.</p><p>Run <code>lacuna eval "
        "RUNDIR</code>, then make the report again. The course of training is below.</p>";
    return html + "</section>";
  }
  html += sentences(view, score_methods(view)) + caveat(view) + run_table(view);
  html += apart_table(view);
  const std::size_t without = view.runs().size() - view.ranking().size() - view.apart().size();
  if (without > 0) {
    html += fmt::format(
        "<p class=\"missing\">{} of {} runs {} not evaluated on {} and left out "
        "of the tables.</p>",
        without, view.runs().size(), without == 1 ? "is" : "are",
        escape_html(view.evaluation_name()));
  }
  return html + "</section>";
}

}  // namespace lacuna::monitoring
