#include "data/phantom/phantom_tumour.h"

#include <algorithm>
#include <cmath>

namespace lacuna::data {
namespace {

constexpr double kCoarseSpacing = 13, kFineSpacing = 5;  // mm

float distance(Point a, Point b, Point stretch) {
  const float z = (a.z - b.z) * stretch.z, x = (a.x - b.x) * stretch.x, y = (a.y - b.y) * stretch.y;
  return std::sqrt(z * z + x * x + y * y);
}

}  // namespace

PhantomTumour::PhantomTumour(const PhantomSpace& space, bool low_grade, bool treated)
    : space_(space),
      coarse_(space.noise(PhantomField::kTumourCoarse, kCoarseSpacing)),
      fine_(space.noise(PhantomField::kTumourFine, kFineSpacing)) {
  Stream stream = space.stream(PhantomField::kTumour);
  const auto draw = [&](double low, double high) {
    return static_cast<float>(stream.uniform(low, high));
  };
  const float side = stream.chance(0.5) ? 1.0f : -1.0f;
  centre_ = {draw(0, 32), side * draw(18, 40), draw(-46, 42)};
  stretch_ = {draw(0.85, 1.25), draw(0.85, 1.25), draw(0.85, 1.25)};
  core_mm_ = draw(11, 23);
  whole_mm_ = core_mm_ + (low_grade ? draw(2, 9) : draw(7, 20));
  // Part of the core's radius that enhances.
  rim_ = draw(0.22, 0.5);
  if (low_grade) rim_ = stream.chance(0.4) ? draw(0.05, 0.15) : -1;
  cavity_centre_ = {centre_.z + draw(-4, 4), centre_.x + draw(-4, 4), centre_.y + draw(-4, 4)};
  if (treated && stream.chance(0.7)) cavity_mm_ = core_mm_ * draw(0.4, 0.65);
}

void PhantomTumour::row(std::int64_t d, std::int64_t h, std::int64_t begin,
                        std::span<const HealthyMix> healthy, std::span<TumourMix> out) const {
  std::fill(out.begin(), out.end(), TumourMix{});
  const Point start{space_.mm(0, d), space_.mm(1, h), 0};
  // The noise moves borders by less than this, so most rows need no look at it.
  const float reach = 2 * whole_mm_;
  if (std::max(std::abs(start.z - centre_.z), std::abs(start.x - centre_.x)) > reach) return;
  std::vector<float> coarse(out.size()), fine(out.size());
  coarse_.row(d, h, begin, coarse);
  fine_.row(d, h, begin, fine);
  // Borders are blurred over a voxel, whatever its size.
  const float soft = 0.6f * static_cast<float>(space_.mm_per_voxel(1));
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (!healthy[i].inside) continue;
    const Point at{start.z, start.x, space_.mm(2, begin + static_cast<std::int64_t>(i))};
    const float radius = distance(at, centre_, stretch_);
    if (radius > reach) continue;
    const float rough = 0.20f * coarse[i] + 0.10f * fine[i];
    const float core_edge = core_mm_ * (1 + rough) - radius;  // mm inside the core's border
    const float inner_edge = core_mm_ * (1 - rim_ * (1 + 0.5f * fine[i]) + 0.8f * rough) - radius;
    // Oedema avoids grey matter and does not enter CSF.
    const float barrier = 0.35f * whole_mm_ * (healthy[i].grey + 3 * healthy[i].csf);
    const float whole_edge =
        whole_mm_ * (1 + 0.28f * coarse[i] + 0.06f * fine[i]) - barrier - radius;
    TumourMix& mix = out[i];
    const float core = ramp(-soft, soft, core_edge);
    const float inside_rim = rim_ < 0 ? core : std::min(core, ramp(-soft, soft, inner_edge));
    const float cavity = cavity_mm_ > 0
                             ? std::min(core, ramp(-soft, soft,
                                                   cavity_mm_ * (1 + rough) -
                                                       distance(at, cavity_centre_, stretch_)))
                             : 0.0f;
    mix.cavity = cavity;
    mix.enhancing = (core - inside_rim) * (1 - cavity);
    mix.necrosis = inside_rim * (1 - cavity);
    mix.oedema = (1 - core) * ramp(-2 * soft, 2 * soft, whole_edge);
  }
}

}  // namespace lacuna::data
