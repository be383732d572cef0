// One phantom case in memory: four co-registered, skull-stripped images and their labels.
//
// What each modality shows is what makes missing ones hurt: enhancing tumour stands out in T1c
// only; oedema in FLAIR and T2; necrosis is dark in T1 and T1c and like oedema elsewhere; CSF is as
// bright as oedema in T2, lesions of white matter in FLAIR and T2, vessels as enhancement in T1c.
// Institutions differ in gain, contrast, noise and strength of the bias field.
#pragma once

#include <cstdint>
#include <vector>

#include "data/types/extent.h"
#include "data/types/modality.h"

namespace lacuna::data {

struct PhantomCaseOptions {
  Extent extent{155, 240, 240};
  std::uint64_t seed = 1;
  int number = 0;       // of the case
  int institution = 0;  // scanner
  bool low_grade = false;
  bool treated = false;  // may have a resection cavity (Tissue::kResection)
};

struct PhantomCase {
  // FLAIR, T1, T1c, T2; D x H x W. Exactly 0 outside the brain, at least 1 inside.
  std::vector<std::vector<std::int16_t>> images;
  std::vector<std::uint8_t> label;  // Tissue values
};

// A pure function of its options. Thread-safe.
PhantomCase make_phantom_case(const PhantomCaseOptions& options);

}  // namespace lacuna::data
