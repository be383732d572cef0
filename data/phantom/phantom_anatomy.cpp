#include "data/phantom/phantom_anatomy.h"

#include <array>
#include <cmath>
#include <vector>

namespace lacuna::data {
namespace {

// Spacings in mm of the fields. With 6 mm, gyri are about 12 mm wide.
constexpr double kWarpSpacing = 42, kFoldSpacing = 6, kFineFoldSpacing = 3, kLesionSpacing = 4.5,
                 kVesselSpacing = 11;
// A field of unit variance and spacing s has a gradient of about 1.3 / s, so |field| times this is
// about the distance to its zero sheet in mm.
constexpr float kFoldToMm = 6 / 1.3f, kFineFoldToMm = 3 / 1.3f;
constexpr float kSulcusDepthMm = 24;
constexpr float kWarpMm = 3.5f;
constexpr float kMassShift = 0.3f;

float square(float value) { return value * value; }

// 1 at the centre, 0 at the surface, negative outside.
float ellipsoid(Point at, Point centre, Point axes) {
  return 1 - std::sqrt(square((at.z - centre.z) / axes.z) + square((at.x - centre.x) / axes.x) +
                       square((at.y - centre.y) / axes.y));
}

}  // namespace

PhantomAnatomy::PhantomAnatomy(const PhantomSpace& space, const MassEffect& mass)
    : space_(space),
      mass_(mass),
      warp_z_(space.noise(PhantomField::kWarpZ, kWarpSpacing)),
      warp_x_(space.noise(PhantomField::kWarpX, kWarpSpacing)),
      warp_y_(space.noise(PhantomField::kWarpY, kWarpSpacing)),
      folds_(space.noise(PhantomField::kFolds, kFoldSpacing)),
      fine_folds_(space.noise(PhantomField::kFineFolds, kFineFoldSpacing)),
      lesions_(space.noise(PhantomField::kLesions, kLesionSpacing)),
      vessel_a_(space.noise(PhantomField::kVesselA, kVesselSpacing)),
      vessel_b_(space.noise(PhantomField::kVesselB, kVesselSpacing)) {
  Stream stream = space.stream(PhantomField::kShape);
  head_scale_ = static_cast<float>(stream.uniform(0.95, 1.05));
  ventricle_scale_ = static_cast<float>(stream.uniform(0.8, 1.4));  // older brains have larger ones
  lesion_threshold_ = static_cast<float>(stream.uniform(1.9, 2.6));
}

HealthyMix PhantomAnatomy::mix(Point p, const Noise& noise) const {
  // Nearly a mirror image, so one side stands for both.
  const float side = std::abs(p.x);
  const float below = p.z < 2 ? 46.0f : 64.0f;  // the base of the cerebrum is flatter
  const float width = 66 - 5 * ramp(-10, -80, p.y);
  const float cerebrum = 66 * ellipsoid(p, {2, 0, 0}, {below, width, 84});
  const float cerebellum = 30 * ellipsoid({p.z, side, p.y}, {-40, 20, 44}, {22, 30, 27});
  const float stem = 13 * ellipsoid(p, {-38, 0, 20}, {32, 12, 13});
  HealthyMix mix;
  const float inside = std::max({cerebrum, cerebellum, stem});
  if (inside <= 0) return mix;
  mix.inside = true;

  float cortex;  // mm from the nearest surface or sulcus
  float grey_mm = 3.6f;
  if (stem >= cerebrum && stem >= cerebellum) {
    cortex = stem + 2;
  } else if (cerebellum > cerebrum) {
    cortex =
        std::min({cerebellum, cerebellum - cerebrum, kFineFoldToMm * std::abs(noise.fine_folds)});
    grey_mm = 1.8f;
  } else {
    const float sulcus =
        kFoldToMm * std::abs(noise.folds) + 0.8f * std::max(0.0f, cerebrum - kSulcusDepthMm);
    // The fissure between the hemispheres spares the middle, where fibres cross.
    const float middle = 1 - std::sqrt(square((p.z - 8) / 22) + square(p.y / 46));
    const float fissure = side + 14 * std::max(0.0f, middle + 0.1f);
    cortex = std::min({cerebrum, sulcus, fissure});
    if (cerebellum > -40) cortex = std::min(cortex, cerebrum - cerebellum);
  }
  mix.csf = 1 - ramp(0.3f, 1.3f, cortex);
  mix.white = ramp(grey_mm - 0.8f, grey_mm + 0.8f, cortex);

  // Deep grey matter, then the ventricles, in the cerebrum's middle.
  const float thalamus = 9 * ellipsoid({p.z, side, p.y}, {4, 12, 12}, {9, 9, 15});
  const float putamen = 6 * ellipsoid({p.z, side, p.y}, {4, 26, -6}, {10, 5.5f, 16});
  const float caudate = 5 * ellipsoid({p.z, side, p.y}, {13, 13, -20}, {8, 4.5f, 11});
  mix.white *= 1 - 0.85f * ramp(-0.6f, 0.8f, std::max({thalamus, putamen, caudate}));
  const float s = ventricle_scale_;
  const float bend = 0.006f * square(p.y);  // horns turn outwards and down
  const float body =
      7 * ellipsoid({p.z + bend, side - 0.5f * bend, p.y}, {15, 8.5f, 4}, {6.5f * s, 5.2f * s, 34});
  const float third = 4 * ellipsoid(p, {3, 0, 10}, {9, 2 * s, 12});
  const float fourth = 5 * ellipsoid(p, {-36, 0, 34}, {8, 6 * s, 5});
  const float ventricle = std::max({body, third, fourth});
  mix.csf = std::max(mix.csf, ramp(-0.6f, 0.6f, ventricle));
  mix.white = std::min(mix.white, 1 - mix.csf);
  mix.grey = 1 - mix.csf - mix.white;

  // Lesions gather around the ventricles.
  const float near = std::exp(-square(std::max(0.0f, -body) / 9));
  mix.lesion = mix.white * ramp(lesion_threshold_, lesion_threshold_ + 0.4f,
                                noise.lesions + 0.7f * near - 0.3f);
  const float lacune = ramp(2.9f, 3.2f, -noise.lesions) * mix.white;
  mix.csf += lacune;
  mix.white -= lacune;
  // A vessel runs where two fields vanish; the great sinus along the midline of the back.
  const float vessel = 1 - ramp(0.02f, 0.07f, square(noise.vessel_a) + square(noise.vessel_b));
  const float sinus = (1 - ramp(1.5f, 3, side)) * (1 - ramp(2, 4, cerebrum)) * ramp(-30, 0, p.y);
  mix.vessel = std::max(vessel * (1 - 0.8f * mix.white), cerebrum > 0 ? sinus : 0.0f);
  return mix;
}

void PhantomAnatomy::row(std::int64_t d, std::int64_t h, std::int64_t begin,
                         std::span<HealthyMix> out) const {
  const SmoothNoise* const fields[] = {&warp_z_,     &warp_x_,  &warp_y_,   &folds_,
                                       &fine_folds_, &lesions_, &vessel_a_, &vessel_b_};
  std::array<std::vector<float>, 8> noise;
  for (std::size_t field = 0; field < noise.size(); ++field) {
    noise[field].resize(out.size());
    fields[field]->row(d, h, begin, noise[field]);
  }
  const float z = space_.mm(0, d), x = space_.mm(1, h);
  for (std::size_t i = 0; i < out.size(); ++i) {
    Point p{z, x, space_.mm(2, begin + static_cast<std::int64_t>(i))};
    if (mass_.radius_mm > 0) {
      const Point to{p.z - mass_.centre.z, p.x - mass_.centre.x, p.y - mass_.centre.y};
      const float distance = square(to.z) + square(to.x) + square(to.y);
      const float pull = kMassShift * std::exp(-distance / square(mass_.radius_mm));
      p = {p.z - pull * to.z, p.x - pull * to.x, p.y - pull * to.y};
    }
    p = {(p.z + kWarpMm * noise[0][i]) / head_scale_, (p.x + kWarpMm * noise[1][i]) / head_scale_,
         (p.y + kWarpMm * noise[2][i]) / head_scale_};
    out[i] = mix(p, {noise[3][i], noise[4][i], noise[5][i], noise[6][i], noise[7][i]});
  }
}

}  // namespace lacuna::data
