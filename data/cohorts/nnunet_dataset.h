// dataset.json of nnU-Net (both versions) and of the Medical Segmentation Decathlon: which channel
// is which modality, and which label value which tissue.
#pragma once

#include "data/cohorts/profile.h"
#include "data/cohorts/source_tree.h"

namespace lacuna::data {

// `profile` with files and labels as the dataset.json in the tree describes them; `profile` itself
// where there is none. The result lives as long as the program. Throws DataError: a file that
// cannot be understood; names of channels or labels that mean no known modality or tissue, with
// the remedy.
const Profile& profile_of_dataset(const SourceTree& tree, const Profile& profile);

}  // namespace lacuna::data
