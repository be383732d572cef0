#include "evaluation/statistics/tables.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/files/table.h"

namespace lacuna::evaluation {
namespace {

// Enough digits to give the same double back.
std::string exact(double value) { return std::isnan(value) ? "" : fmt::format("{:.17g}", value); }

std::string rounded(double value, int digits) {
  return std::isnan(value) ? "-" : fmt::format("{:.{}f}", value, digits);
}

std::string csv_header(const std::string& first, const Summary& summary) {
  std::string line = first + ",cases";
  for (const char* metric : {"dice", "hd95_mm"}) {
    if (!summary.hd95 && metric[0] == 'h') continue;
    for (const std::string& region : summary.regions) line += fmt::format(",{}_{}", metric, region);
    line += fmt::format(",{}_mean", metric);
  }
  for (const std::string& name : summary.further.processed) {
    line += fmt::format(",dice_{}", name);
    if (summary.hd95) line += fmt::format(",hd95_mm_{}", name);
  }
  return line + "\n";
}

std::string csv_row(const std::string& first, const Means& means, const Summary& summary) {
  std::string line = fmt::format("{},{}", csv_field(first), means.cases);
  for (const auto* values : {&means.dice, &means.hd95_mm}) {
    if (!summary.hd95 && values == &means.hd95_mm) continue;
    for (const double value : *values) line += "," + exact(value);
    line += "," + exact(mean_of(*values));
  }
  for (std::size_t p = 0; p < means.processed_dice.size(); ++p) {
    line += "," + exact(means.processed_dice[p]);
    if (summary.hd95) line += "," + exact(means.processed_hd95_mm[p]);
  }
  return line + "\n";
}

// The numbers of a table row: Dice in %, HD95 in mm, each with its mean over regions.
std::vector<std::string> cells(const Means& means, const Summary& summary) {
  std::vector<std::string> row;
  for (const double dice : means.dice) row.push_back(rounded(100 * dice, 2));
  row.push_back(rounded(100 * mean_of(means.dice), 2));
  for (const double dice : means.processed_dice) row.push_back(rounded(100 * dice, 2));
  if (!summary.hd95) return row;
  for (const double distance : means.hd95_mm) row.push_back(rounded(distance, 2));
  row.push_back(rounded(mean_of(means.hd95_mm), 2));
  for (const double distance : means.processed_hd95_mm) row.push_back(rounded(distance, 2));
  return row;
}

// Header cells in the order of cells().
std::vector<std::string> headings(const Summary& summary, const char* percent) {
  std::vector<std::string> names;
  for (const std::string& metric : {fmt::format("Dice {}", percent), std::string("HD95 mm")}) {
    if (!summary.hd95 && metric[0] == 'H') continue;
    for (const std::string& region : summary.regions) {
      names.push_back(fmt::format("{} {}", region, metric));
    }
    names.push_back(fmt::format("mean {}", metric));
    for (const std::string& region : summary.further.processed) {
      names.push_back(fmt::format("{} {}", region, metric));
    }
  }
  return names;
}

}  // namespace

std::string cases_csv(const std::vector<CaseScore>& scores, const data::ModalitySet& modalities,
                      const Summary& summary) {
  const bool with_checksum = std::any_of(scores.begin(), scores.end(),
                                         [](const auto& score) { return !score.checksum.empty(); });
  std::string text =
      "case,institution,subset,region,dice,hd95_mm,predicted_"
      "voxels,true_voxels";
  if (with_checksum) text += ",checksum";
  for (const std::string& column : summary.further.columns) text += "," + column;
  text += "\n";
  const auto add = [&](const CaseScore& score, const std::string& name, const RegionScore& region) {
    // Nothing was predicted, not an empty region: no number of voxels.
    const std::string predicted =
        std::isnan(region.dice) ? "" : std::to_string(region.predicted_voxels);
    text += fmt::format("{},{},{},{},{},{},{},{}", csv_field(score.case_id),
                        csv_field(score.institution), modalities.format(score.subset), name,
                        exact(region.dice), summary.hd95 ? exact(region.hd95_mm) : "", predicted,
                        region.true_voxels);
    if (with_checksum) text += "," + csv_field(score.checksum);
    for (std::size_t c = 0; c < summary.further.columns.size(); ++c) {
      text += "," + (c < region.values.size() ? exact(region.values[c]) : std::string());
    }
    text += "\n";
  };
  for (const CaseScore& score : scores) {
    for (std::size_t r = 0; r < score.regions.size(); ++r) {
      add(score, summary.regions[r], score.regions[r]);
    }
    for (std::size_t p = 0; p < score.processed.size(); ++p) {
      add(score, summary.further.processed[p], score.processed[p]);
    }
  }
  return text;
}

std::string subsets_csv(const Summary& summary, const data::ModalitySet& modalities) {
  std::string text = csv_header("subset", summary);
  for (const SubsetMeans& each : summary.subsets) {
    text += csv_row(modalities.format(each.subset), each.means, summary);
  }
  return text + csv_row("mean", summary.all, summary);
}

std::string institutions_csv(const Summary& summary) {
  std::string text = csv_header("institution", summary);
  for (const InstitutionMeans& each : summary.institutions) {
    text += csv_row(each.institution, each.means, summary);
  }
  return text;
}

std::string markdown_table(const Summary& summary, const data::ModalitySet& modalities) {
  std::string text = "|", rule = "|";
  for (const std::string& name : modalities.names()) {
    text += fmt::format(" {} |", name);
    rule += ":-:|";
  }
  for (const std::string& name : headings(summary, "%")) {
    text += fmt::format(" {} |", name);
    rule += "-:|";
  }
  text += "\n" + rule + "\n";
  const auto add_numbers = [&](const Means& means) {
    for (const std::string& cell : cells(means, summary)) text += fmt::format(" {} |", cell);
    text += "\n";
  };
  for (const SubsetMeans& each : summary.subsets) {
    text += "|";
    for (int m = 0; m < modalities.size(); ++m) {
      text += data::contains(each.subset, m) ? " ● |" : " ○ |";
    }
    add_numbers(each.means);
  }
  text += "| mean |";
  for (int m = 1; m < modalities.size(); ++m) text += " |";
  add_numbers(summary.all);
  return text;
}

std::string latex_table(const Summary& summary, const data::ModalitySet& modalities) {
  const auto names = headings(summary, "\\%");
  std::string text = fmt::format("\\begin{{tabular}}{{{}{}}}\n\\hline\n",
                                 std::string(static_cast<std::size_t>(modalities.size()), 'c'),
                                 std::string(names.size(), 'r'));
  for (const std::string& name : modalities.names()) text += name + " & ";
  for (std::size_t i = 0; i < names.size(); ++i) {
    text += names[i] + (i + 1 < names.size() ? " & " : " \\\\\n\\hline\n");
  }
  const auto add_numbers = [&](const Means& means) {
    const auto row = cells(means, summary);
    for (const std::string& cell : row) text += " & " + cell;
    text += " \\\\\n";
  };
  for (const SubsetMeans& each : summary.subsets) {
    for (int m = 0; m < modalities.size(); ++m) {
      if (m > 0) text += " & ";
      text += data::contains(each.subset, m) ? "$\\bullet$" : "$\\circ$";
    }
    add_numbers(each.means);
  }
  text += fmt::format("\\hline\n\\multicolumn{{{}}}{{c}}{{mean}}", modalities.size());
  add_numbers(summary.all);
  return text + "\\hline\n\\end{tabular}\n";
}

void write_tables(FileSystem& files, const std::filesystem::path& directory,
                  const std::vector<CaseScore>& scores, const data::ModalitySet& modalities,
                  const Summary& summary, const ScoreOptions& options, const Json& about) {
  files.make_directories(directory);
  if (files.exists(directory / "summary.json")) files.remove(directory / "summary.json");
  write_durably(files, directory / "cases.csv", cases_csv(scores, modalities, summary));
  write_durably(files, directory / "subsets.csv", subsets_csv(summary, modalities));
  if (!summary.institutions.empty()) {
    write_durably(files, directory / "institutions.csv", institutions_csv(summary));
  }
  // What a reader must know before using the numbers goes wherever the numbers go.
  const std::string note = about.value("note", "");
  write_durably(files, directory / "table.md",
                markdown_table(summary, modalities) + (note.empty() ? "" : "\n" + note + "\n"));
  write_durably(files, directory / "table.tex",
                latex_table(summary, modalities) +
                    (note.empty() ? "" : "\\par{\\footnotesize " + note + "}\n"));
  write_durably(files, directory / "summary.json",
                summary_json(summary, modalities, options, about, scores).dump(2) + "\n");
}

}  // namespace lacuna::evaluation
