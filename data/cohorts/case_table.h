// Tables that data sets keep beside their cases: name_mapping.csv of BraTS, partitioning_1.csv of
// FeTS, participants.tsv of BIDS. Columns are found by how their headers begin, as the profile says
// or by the words in use, because every year names them differently.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/cohorts/profile.h"

namespace lacuna::data {

// Fills in institution and grade of the cases that the tables name. The first table with a column
// of institutions decides for all the cases that it names, also where it says nothing: ids of
// earlier years, which name the institution of some, count only where no table has such a column.
// What folder or id say of a grade stays. Logs what was found; a table that cannot be read, or that
// was meant and names no case, is warned of.
void apply_case_tables(const std::vector<std::filesystem::path>& tables, const Profile& profile,
                       std::vector<CaseName*>& cases);

}  // namespace lacuna::data
