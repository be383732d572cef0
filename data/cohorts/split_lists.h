// Lists of cases that somebody else divided: a person's own, and the forms in which papers and
// frameworks share theirs. What a path holds is decided by its content:
//
//   JSON object of splits      {"mine": {"train": [ids...], "test": "list.txt"}, ...}
//   JSON array                 splits_final.json of nnU-Net: fold0, fold1, ...; its `val` is what
//                              nnU-Net reports on without choosing by it, so it becomes `test`
//   JSON object with training  MONAI's data list: by the key `fold` of its entries, or by the keys
//                              training, validation, test(ing)
//   CSV                        id, part (Training, Validation, Inference), naming file beside it;
//                              or data_name,mask_id,mask,pos_mask_ids: which modalities a case
//                              shows in training; or case,mask
//   directory                  train*, val*, test* lists (.txt, .csv): a split per number; lists
//                              with masks beside them: one more split each
//
// A text list holds one id, file or case directory a line. Names are reduced (directories, endings,
// "_vol", trailing "_" off) and looked up as they are, then without a leading HG_, LG_, HGG_, LGG_.
// Without a part "meta" a few patients move there from "train".
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "data/cache/cohort.h"

namespace lacuna::data {

struct SplitListOptions {
  std::filesystem::path path;
  std::vector<std::string> mask_order;  // of the masks in a list `case,mask`
  bool allow_split_patients = false;    // a patient may be in two parts
};

struct SplitLists {
  Splits splits;
  // split -> case -> modalities that the list leaves it
  std::map<std::string, std::map<std::string, SubsetMask>> available;
  std::string form;  // "nnU-Net, splits_final.json": what was recognised
};

// Throws ConfigError naming the file and each case that is unknown, repeated within a split, or
// without a label but in use for training; a patient in two parts; a list of an unknown form.
SplitLists read_splits(const SplitListOptions& options, const std::vector<CaseInfo>& cases,
                       const ModalitySet& modalities);

}  // namespace lacuna::data
