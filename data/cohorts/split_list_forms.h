// What the lists of papers have in common: words for parts, names of files, masks of modalities.
// Pure functions, thread-safe.
#pragma once

#include <string>
#include <vector>

#include "data/cohorts/foreign_table.h"
#include "data/types/modality.h"

namespace lacuna::data {

// The order in which lists of the form data_name,mask_id,mask,pos_mask_ids write their masks.
extern const std::vector<std::string> kTrainingMaskOrder;

bool is_mask_list(const ForeignTable& table);       // data_name,mask_id,mask,pos_mask_ids
bool is_case_mask_list(const ForeignTable& table);  // case,mask

// "Training" -> "train"; "" for a word that names no part.
std::string part_of_word(const std::string& word);
bool is_part(const std::string& name);

// The part that the name of a list speaks of: "train3", "val_list", "BraTS18_test"; and its number.
std::string part_in_name(const std::string& stem, std::string* number = nullptr);

// "dataset_split_2.csv" -> "split2", other files their name.
std::string split_name_of(const std::string& stem);

// "[True, False, False, True]" in the given order of modalities. Throws ConfigError, opened by
// `where`: another number of values, or none that is true.
SubsetMask read_mask(const std::string& text, const std::vector<std::string>& order,
                     const ModalitySet& modalities, const std::string& where);

}  // namespace lacuna::data
