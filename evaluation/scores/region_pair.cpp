#include "evaluation/scores/region_pair.h"

#include <utility>

namespace lacuna::evaluation {
namespace {

// The mask's bounding box alone: what lies outside it takes no time.
Mask cropped(const Mask& mask, const Box& box) {
  Mask small(box.extent);
  draw(runs_of(mask), box.corner, small);
  return small;
}

Components components_of(const Mask& mask) {
  const Box box = mask.bounding_box();
  if (box.empty()) return Components(Mask({1, 1, 1}));
  return Components(cropped(mask, box), box.corner);
}

}  // namespace

TruthRegion::TruthRegion(Mask mask, const Spacing& spacing_mm)
    : mask_(std::move(mask)), spacing_mm_(spacing_mm), voxels_(mask_.count()) {}

const Components& TruthRegion::components() {
  if (!components_) components_ = components_of(mask_);
  return *components_;
}

const DilatedLesions& TruthRegion::lesions(int dilations) {
  const auto known = lesions_.find(dilations);
  if (known != lesions_.end()) return known->second;
  const Box box = grow(mask_.bounding_box(), dilations, mask_.extent());
  Mask dilated = box.empty() ? Mask({1, 1, 1}) : cropped(mask_, box);
  for (int i = 0; i < dilations; ++i) dilated = dilate_18(dilated);
  DilatedLesions lesions{Components(dilated, box.corner), {}};
  lesions.parts.resize(static_cast<std::size_t>(lesions.dilated.count()));
  // A component lies in one dilated component whole: its first run tells which.
  const Components& parts = components();
  std::vector<bool> placed(static_cast<std::size_t>(parts.count()));
  for_each_overlap(parts.runs(), lesions.dilated.runs(), [&](auto i, auto j, std::int64_t) {
    const int part = parts.component_of(i);
    if (placed[static_cast<std::size_t>(part)]) return;
    placed[static_cast<std::size_t>(part)] = true;
    lesions.parts[static_cast<std::size_t>(lesions.dilated.component_of(j))].push_back(part);
  });
  return lesions_.emplace(dilations, std::move(lesions)).first->second;
}

TruthSurface& TruthRegion::surface(SurfaceKind kind, const Spacing& spacing_mm,
                                   const std::vector<int>& parts) {
  const SurfaceKey key{kind, spacing_mm, parts};
  const auto known = surfaces_.find(key);
  if (known != surfaces_.end()) return known->second;
  RunList voxels = parts.empty() ? runs_of(mask_) : components().select(parts);
  return surfaces_.emplace(key, TruthSurface(std::move(voxels), kind, spacing_mm)).first->second;
}

RegionPair::RegionPair(TruthRegion& truth, Mask prediction, int threads)
    : truth_(truth),
      mask_(std::move(prediction)),
      threads_(threads),
      voxels_(mask_.count()),
      common_(count_common(mask_, truth.mask())) {}

const Components& RegionPair::components() {
  if (!components_) components_ = components_of(mask_);
  return *components_;
}

const std::vector<SharedVoxels>& RegionPair::shared() {
  if (shared_) return *shared_;
  const Components &ours = components(), &theirs = truth_.components();
  std::map<std::pair<int, int>, std::int64_t> sums;
  for_each_overlap(ours.runs(), theirs.runs(), [&](auto i, auto j, std::int64_t voxels) {
    sums[{ours.component_of(i), theirs.component_of(j)}] += voxels;
  });
  shared_.emplace();
  for (const auto& [pair, voxels] : sums) shared_->push_back({pair.first, pair.second, voxels});
  return *shared_;
}

const SurfacePair& RegionPair::distances(SurfaceKind kind, const Spacing& spacing_mm,
                                         std::vector<int> true_parts,
                                         std::vector<int> predicted_parts) {
  // All components are the whole mask, which others may have asked for already.
  if (!true_parts.empty() && static_cast<int>(true_parts.size()) == truth_.components().count()) {
    true_parts.clear();
  }
  if (!predicted_parts.empty() &&
      static_cast<int>(predicted_parts.size()) == components().count()) {
    predicted_parts.clear();
  }
  const PairKey key{kind, spacing_mm, true_parts, predicted_parts};
  const auto known = distances_.find(key);
  if (known != distances_.end()) return known->second;
  const RunList prediction =
      predicted_parts.empty() ? runs_of(mask_) : components().select(predicted_parts);
  TruthSurface& surface = truth_.surface(kind, spacing_mm, true_parts);
  return distances_.emplace(key, surface.distances(prediction, threads_)).first->second;
}

}  // namespace lacuna::evaluation
