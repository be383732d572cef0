// The tumour of a phantom: a core with an enhancing rim of uneven thickness around necrosis, and
// oedema that spreads along white matter, all with irregular borders. Low-grade tumours enhance
// little or not at all; treated ones may have a resection cavity. Thread-safe after construction.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/augment/smooth_noise.h"
#include "data/phantom/phantom_anatomy.h"
#include "data/phantom/phantom_space.h"

namespace lacuna::data {

// Parts of one voxel; what is left to 1 is healthy. All 0 outside the tumour.
struct TumourMix {
  float necrosis = 0, oedema = 0, enhancing = 0, cavity = 0;
  float total() const { return necrosis + oedema + enhancing + cavity; }
};

class PhantomTumour {
 public:
  PhantomTumour(const PhantomSpace& space, bool low_grade, bool treated);

  MassEffect mass_effect() const { return {centre_, 1.4f * core_mm_}; }
  void row(std::int64_t d, std::int64_t h, std::int64_t begin, std::span<const HealthyMix> healthy,
           std::span<TumourMix> out) const;

 private:
  PhantomSpace space_;
  SmoothNoise coarse_, fine_;
  Point centre_, stretch_, cavity_centre_;
  float core_mm_, whole_mm_, rim_, cavity_mm_ = 0;
};

}  // namespace lacuna::data
