// Tables (CSV) that data sets keep beside their cases: name_mapping.csv of BraTS,
// partitioning_1.csv of FeTS. Columns are found by what they hold, because every year names them
// differently; what is read as a table: base/files/table.h.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/cohorts/profile.h"

namespace lacuna::data {

// Fills in institution and grade of each case that the table knows, where they are still empty. The
// column of ids is the one that holds most of the known ids. Returns how many cases it knew. Throws
// DataError when the file cannot be read.
int apply_case_table(const std::filesystem::path& table, const Profile& profile,
                     std::vector<CaseName*>& cases);

}  // namespace lacuna::data
