// One region of a truth, prepared once, and one prediction of it: components, overlaps and surface
// distances, each computed when first asked for and then kept.
//
// One thread at a time per TruthRegion and the pairs made from it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "evaluation/scores/surface_distances.h"
#include "evaluation/volumes/components.h"

namespace lacuna::evaluation {

// Components of the truth that are one lesion, because their dilations touch.
struct DilatedLesions {
  Components dilated;                   // of the dilated truth: a lesion each
  std::vector<std::vector<int>> parts;  // of each lesion: components of the truth, ascending
};

class TruthRegion {
 public:
  TruthRegion(Mask mask, const Spacing& spacing_mm);

  const Mask& mask() const { return mask_; }
  const Spacing& spacing_mm() const { return spacing_mm_; }
  std::int64_t voxels() const { return voxels_; }
  const Components& components();
  const DilatedLesions& lesions(int dilations);

  // The surface of some components; none named: of the whole truth.
  TruthSurface& surface(SurfaceKind kind, const Spacing& spacing_mm, const std::vector<int>& parts);

 private:
  struct SurfaceKey {
    SurfaceKind kind;
    Spacing spacing_mm;
    std::vector<int> parts;
    auto operator<=>(const SurfaceKey&) const = default;
  };

  Mask mask_;
  Spacing spacing_mm_;
  std::int64_t voxels_;
  std::optional<Components> components_;
  std::map<int, DilatedLesions> lesions_;
  std::map<SurfaceKey, TruthSurface> surfaces_;
};

// Voxels that a predicted and a true component share.
struct SharedVoxels {
  int prediction = 0, truth = 0;
  std::int64_t voxels = 0;
};

class RegionPair {
 public:
  // Refers to the truth.
  RegionPair(TruthRegion& truth, Mask prediction, int threads);

  TruthRegion& truth() { return truth_; }
  const Mask& mask() const { return mask_; }
  std::int64_t voxels() const { return voxels_; }
  std::int64_t truth_voxels() const { return truth_.voxels(); }
  std::int64_t common() const { return common_; }
  const Components& components();
  const std::vector<SharedVoxels>& shared();  // by prediction, then truth

  // Between unions of components, each named in ascending order; without names: of the whole masks.
  // Neither is empty.
  const SurfacePair& distances(SurfaceKind kind, const Spacing& spacing_mm,
                               std::vector<int> true_parts = {},
                               std::vector<int> predicted_parts = {});

 private:
  struct PairKey {
    SurfaceKind kind;
    Spacing spacing_mm;
    std::vector<int> true_parts, predicted_parts;
    auto operator<=>(const PairKey&) const = default;
  };

  TruthRegion& truth_;
  Mask mask_;
  int threads_;
  std::int64_t voxels_, common_;
  std::optional<Components> components_;
  std::optional<std::vector<SharedVoxels>> shared_;
  std::map<PairKey, SurfacePair> distances_;
};

}  // namespace lacuna::evaluation
