// The files that an evaluation leaves behind, as text: docs/evaluation.md describes their columns.
// Pure functions, thread-safe.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/files/file_system.h"
#include "base/text/json.h"
#include "evaluation/statistics/summary.h"
#include "evaluation/statistics/summary_json.h"

namespace lacuna::evaluation {

// case,institution,subset,region,dice,hd95_mm,predicted_voxels,true_voxels: one row per case,
// subset and region, then one per post-processed region. Dice is a fraction; hd95_mm is empty where
// it was not computed. After these the case's checksum, where it is known, and further scores.
std::string cases_csv(const std::vector<CaseScore>& scores, const data::ModalitySet& modalities,
                      const Summary& summary);

// subset,cases,dice_ET,...,dice_mean,hd95_mm_ET,...,hd95_mm_mean: one row per subset, then `mean`.
std::string subsets_csv(const Summary& summary, const data::ModalitySet& modalities);

// institution,cases,dice_ET,...: as subsets_csv().
std::string institutions_csv(const Summary& summary);

// Rows as in the papers: a dot per modality (full = present), then Dice in % and HD95 in mm for
// each region and their mean; the last row is the mean over subsets.
std::string markdown_table(const Summary& summary, const data::ModalitySet& modalities);
std::string latex_table(const Summary& summary, const data::ModalitySet& modalities);

// Writes cases.csv, subsets.csv, institutions.csv (when institutions are known), table.md,
// table.tex and summary.json durably; summary.json last, so that its presence means a whole set.
void write_tables(FileSystem& files, const std::filesystem::path& directory,
                  const std::vector<CaseScore>& scores, const data::ModalitySet& modalities,
                  const Summary& summary, const ScoreOptions& options, const Json& about);

}  // namespace lacuna::evaluation
