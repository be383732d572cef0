// Divides the labelled cases of a cohort into the parts of an experiment, patient by patient: all
// visits of a patient are in the same part.
//
// Generated splits, "fold0" .. "fold<K-1>" and "all": pure functions of the cases and the seed.
// Patients are dealt to folds stratum by stratum (institution and grade of their first case), so
// that each fold has its share of each, to within one patient. Fold k holds
//   test        the k-th fold,
//   meta        a few patients taken from the rest for learning importance weights, kinds mixed,
//   validation  a tenth of all patients, taken from the rest, for choosing a checkpoint,
//   train       what remains.
// "all" trains on every patient but those of `meta`, without model selection. The parts never
// overlap. Once written, splits are kept: grow_splits() adds to them and moves nobody.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/cache/cohort.h"

namespace lacuna::data {

struct SplitOptions {
  int folds = 5;
  std::uint64_t seed = 1;
};

// Throws ConfigError for fewer than two folds. With fewer patients than folds there are fewer
// folds; a cohort of one labelled patient has only "all".
Splits make_splits(const std::vector<CaseInfo>& cases, const SplitOptions& options);

// What `earlier` says, without the cases that are gone, and with the new labelled ones: a visit of
// a known patient joins the patient; a new patient is tested in the fold that has fewest of its
// stratum, and in the others trains, or validates where validation has less than a tenth. Splits
// named in `listed` are left as they are.
Splits grow_splits(const Splits& earlier, const std::set<std::string>& listed,
                   const std::vector<CaseInfo>& cases);

// Cases of `splits` that are not in the cohort at present (or have lost the label that their part
// needs), in the same form.
Splits departed_cases(const Splits& splits, const std::vector<CaseInfo>& cases);

// Moves a few patients from "train" to "meta". Parts come out sorted.
void set_aside_meta(std::map<std::string, std::vector<std::string>>& parts,
                    const std::vector<CaseInfo>& cases);

// A patient whose visits lie in several parts of a split.
struct SplitPatient {
  std::string patient;
  std::vector<std::string> parts, cases;
};
std::vector<SplitPatient> split_patients(
    const std::map<std::string, std::vector<std::string>>& parts,
    const std::vector<CaseInfo>& cases);

// How many of `training` patients a split sets aside for meta-validation: a tenth, at most the
// published five, none when fewer than four would be left to choose from.
std::size_t meta_cases(std::size_t training);

}  // namespace lacuna::data
