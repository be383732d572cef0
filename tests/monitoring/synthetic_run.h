// Run directories with invented but plausible content, in the formats of docs/file-formats.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace lacuna::monitoring {

struct SyntheticRun {
  std::string method = "mckd";
  std::uint64_t seed = 1;
  double skill = 0.8;     // Dice with every modality
  double penalty = 0.08;  // lost per missing modality
  int cases = 12;
  int cohort_cases = 12;   // that run.json tells: of BraTS 2018 there are 285
  int logged_steps = 200;  // lines of metrics.jsonl
  bool importance = true;  // diagnostics of importance weights
  bool overlays = true;
  std::string institution = "site A";  // of half of the cases; the others are of "site B"
  std::string case_prefix = "Phantom_";
};

// Writes a whole run directory with the evaluation "fold0-test".
void write_synthetic_run(const std::filesystem::path& directory, const SyntheticRun& run);

// Small ones of two methods, below `directory`.
std::vector<std::filesystem::path> write_hundred_runs(const std::filesystem::path& directory);

}  // namespace lacuna::monitoring
