// The healthy brain of a phantom: cerebrum with a folded cortex, two hemispheres, ventricles and
// deep grey matter, cerebellum, brain stem; and what makes single modalities ambiguous: white
// matter lesions, small lacunes, and vessels.
//
// The cortex is folded by the zero sheets of a smooth random field, which are the sulci: grey
// matter is what lies within some mm of a sulcus or of the surface. Thread-safe after construction.
#pragma once

#include <cstdint>
#include <span>

#include "data/augment/smooth_noise.h"
#include "data/phantom/phantom_space.h"

namespace lacuna::data {

// Parts of one voxel; csf + grey + white = 1 inside the brain. The rest overlays them.
struct HealthyMix {
  bool inside = false;
  float csf = 0, grey = 0, white = 0;
  float lesion = 0;  // bright in FLAIR and T2
  float vessel = 0;  // bright in T1c
};

// Tissue around a tumour is pushed outwards.
struct MassEffect {
  Point centre;
  float radius_mm = 0;
};

class PhantomAnatomy {
 public:
  PhantomAnatomy(const PhantomSpace& space, const MassEffect& mass);

  // Voxels (d, h, begin .. begin + out.size()).
  void row(std::int64_t d, std::int64_t h, std::int64_t begin, std::span<HealthyMix> out) const;

 private:
  struct Noise {
    float folds, fine_folds, lesions, vessel_a, vessel_b;
  };
  HealthyMix mix(Point at, const Noise& noise) const;

  PhantomSpace space_;
  MassEffect mass_;
  SmoothNoise warp_z_, warp_x_, warp_y_, folds_, fine_folds_, lesions_, vessel_a_, vessel_b_;
  float ventricle_scale_, lesion_threshold_, head_scale_;
};

}  // namespace lacuna::data
