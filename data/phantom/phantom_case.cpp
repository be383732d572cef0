#include "data/phantom/phantom_case.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "data/phantom/phantom_anatomy.h"
#include "data/phantom/phantom_tumour.h"
#include "data/types/tissue.h"

namespace lacuna::data {
namespace {

constexpr std::size_t kModalities = 4;
enum Material { kCsf, kGrey, kWhite, kLesion, kVessel, kOedema, kEnhancing, kNecrosis, kCavity };
constexpr std::size_t kMaterials = 9;
using Contrast = std::array<std::array<float, kMaterials>, kModalities>;

// Relative brightness of each material, from typical images at 1.5 and 3 T.
constexpr Contrast kContrast{{
    // CSF  grey   white  lesion vessel oedema enhan. necro. cavity
    {0.14f, 0.58f, 0.48f, 0.90f, 0.40f, 0.90f, 0.84f, 0.78f, 0.18f},  // FLAIR
    {0.24f, 0.58f, 0.80f, 0.62f, 0.45f, 0.60f, 0.57f, 0.40f, 0.25f},  // T1
    {0.24f, 0.60f, 0.80f, 0.62f, 1.25f, 0.60f, 1.20f, 0.38f, 0.25f},  // T1c
    {1.05f, 0.60f, 0.42f, 0.80f, 0.30f, 0.88f, 0.80f, 0.90f, 1.02f},  // T2
}};

constexpr double kBiasSpacing = 90, kTextureSpacing = 2.5;  // mm

struct Scanner {
  std::array<float, kModalities> gain{};     // int16 units of brightness 1
  std::array<float, kModalities> stretch{};  // of contrast, about brightness 0.6
  float noise = 0, bias = 0;                 // relative to brightness 1
};

Scanner make_scanner(std::uint64_t seed, int institution) {
  PhantomSpace space;
  space.seed = seed;
  space.number = static_cast<std::uint64_t>(institution);
  Stream stream = space.stream(PhantomField::kInstitution);
  Scanner scanner;
  for (std::size_t m = 0; m < kModalities; ++m) {
    scanner.gain[m] = static_cast<float>(250 * std::exp(stream.uniform(-0.5, 1.2)));
    scanner.stretch[m] = static_cast<float>(stream.uniform(0.85, 1.15));
  }
  scanner.noise = static_cast<float>(stream.uniform(0.015, 0.04));
  scanner.bias = static_cast<float>(stream.uniform(0.05, 0.14));
  return scanner;
}

// Patients differ a little within one scanner.
Contrast make_contrast(const PhantomSpace& space) {
  Stream stream = space.stream(PhantomField::kContrast);
  Contrast contrast = kContrast;
  for (auto& modality : contrast) {
    for (float& brightness : modality) {
      brightness *= static_cast<float>(std::exp(0.04 * stream.normal()));
    }
  }
  return contrast;
}

Tissue tissue_of(const TumourMix& tumour) {
  if (tumour.total() < 0.5f) return Tissue::kBackground;
  const std::pair<float, Tissue> parts[] = {{tumour.oedema, Tissue::kOedema},
                                            {tumour.necrosis, Tissue::kNecrosis},
                                            {tumour.enhancing, Tissue::kEnhancing},
                                            {tumour.cavity, Tissue::kResection}};
  return std::max_element(std::begin(parts), std::end(parts),
                          [](const auto& a, const auto& b) { return a.first < b.first; })
      ->second;
}

std::array<float, kMaterials> parts_of(const HealthyMix& healthy, const TumourMix& tumour) {
  const float rest = 1 - tumour.total();
  const float plain = rest * (1 - healthy.lesion) * (1 - healthy.vessel);
  std::array<float, kMaterials> parts{};
  parts[kCsf] = plain * healthy.csf;
  parts[kGrey] = plain * healthy.grey;
  parts[kWhite] = plain * healthy.white;
  parts[kLesion] = rest * healthy.lesion * (1 - healthy.vessel);
  parts[kVessel] = rest * healthy.vessel;
  parts[kOedema] = tumour.oedema;
  parts[kEnhancing] = tumour.enhancing;
  parts[kNecrosis] = tumour.necrosis;
  parts[kCavity] = tumour.cavity;
  return parts;
}

// The part of a row along W in which the brain can lie.
struct Interval {
  std::int64_t begin = 0, end = 0;
};
Interval brain_interval(const PhantomSpace& space, std::int64_t d, std::int64_t h) {
  // Half axes of a box of the largest warped head; the volume's border stays empty.
  constexpr float kZ = 76, kX = 84, kY = 106;
  const float z = space.mm(0, d) / kZ, x = space.mm(1, h) / kX;
  const float rest = 1 - z * z * z * z - x * x;
  if (rest <= 0) return {};
  const double half = kY * std::sqrt(rest) / space.mm_per_voxel(2);
  const double middle = static_cast<double>(space.extent[2] - 1) / 2;
  return {std::max<std::int64_t>(1, std::llround(middle - half)),
          std::min<std::int64_t>(space.extent[2] - 1, std::llround(middle + half) + 1)};
}

class Painter {
 public:
  explicit Painter(const PhantomCaseOptions& options)
      : space_{options.extent, options.seed, static_cast<std::uint64_t>(options.number)},
        tumour_(space_, options.low_grade, options.treated),
        anatomy_(space_, tumour_.mass_effect()),
        scanner_(make_scanner(options.seed, options.institution)),
        contrast_(make_contrast(space_)),
        texture_(space_.noise(PhantomField::kTexture, kTextureSpacing)) {
    for (std::uint32_t m = 0; m < kModalities; ++m) {
      bias_.push_back(space_.noise(PhantomField::kBias, kBiasSpacing, m));
    }
  }

  PhantomCase paint() {
    const Extent& extent = space_.extent;
    const auto voxels = static_cast<std::size_t>(extent[0] * extent[1] * extent[2]);
    PhantomCase result{{kModalities, std::vector<std::int16_t>(voxels)},
                       std::vector<std::uint8_t>(voxels)};
    for (std::int64_t d = 1; d + 1 < extent[0]; ++d) {
      make_noise(d);
      for (std::int64_t h = 1; h + 1 < extent[1]; ++h) paint_row(d, h, result);
    }
    return result;
  }

 private:
  // Two normal numbers per voxel and modality: the real and imaginary part of the signal's noise.
  void make_noise(std::int64_t d) {
    const auto slice = static_cast<std::size_t>(space_.extent[1] * space_.extent[2]);
    for (std::uint32_t i = 0; i < noise_.size(); ++i) {
      noise_[i].assign(slice, 0);
      add_normal_field(space_.key(PhantomField::kNoise, static_cast<std::uint32_t>(8 * d) + i),
                       scanner_.noise, noise_[i].data(), slice);
    }
  }

  void paint_row(std::int64_t d, std::int64_t h, PhantomCase& result) {
    const auto [begin, end] = brain_interval(space_, d, h);
    if (begin >= end) return;
    const auto length = static_cast<std::size_t>(end - begin);
    healthy_.resize(length);
    tumours_.resize(length);
    texture_row_.resize(length);
    bias_row_.resize(length);
    anatomy_.row(d, h, begin, healthy_);
    tumour_.row(d, h, begin, healthy_, tumours_);
    texture_.row(d, h, begin, texture_row_);
    const auto in_slice = static_cast<std::size_t>(h * space_.extent[2] + begin);
    const std::size_t first =
        static_cast<std::size_t>(d * space_.extent[1] * space_.extent[2]) + in_slice;
    for (std::size_t i = 0; i < length; ++i) {
      if (healthy_[i].inside) {
        result.label[first + i] = static_cast<std::uint8_t>(tissue_of(tumours_[i]));
      }
    }
    for (std::size_t m = 0; m < kModalities; ++m) {
      bias_[m].row(d, h, begin, bias_row_);
      for (std::size_t i = 0; i < length; ++i) {
        if (!healthy_[i].inside) continue;
        const auto parts = parts_of(healthy_[i], tumours_[i]);
        float brightness = 0;
        for (std::size_t part = 0; part < kMaterials; ++part) {
          brightness += parts[part] * contrast_[m][part];
        }
        // A tumour is less even than healthy tissue.
        const float uneven = 0.015f + 0.05f * tumours_[i].total();
        brightness = 0.6f + (brightness - 0.6f) * scanner_.stretch[m];
        brightness *= (1 + uneven * texture_row_[i]) * std::exp(scanner_.bias * bias_row_[i]);
        const float real = brightness + noise_[2 * m][in_slice + i];
        const float imaginary = noise_[2 * m + 1][in_slice + i];
        const float value = scanner_.gain[m] * std::sqrt(real * real + imaginary * imaginary);
        result.images[m][first + i] =
            static_cast<std::int16_t>(std::clamp(std::nearbyint(value), 1.0f, 32767.0f));
      }
    }
  }

  PhantomSpace space_;
  PhantomTumour tumour_;
  PhantomAnatomy anatomy_;
  Scanner scanner_;
  Contrast contrast_;
  SmoothNoise texture_;
  std::vector<SmoothNoise> bias_;
  std::array<std::vector<float>, 2 * kModalities> noise_;
  std::vector<HealthyMix> healthy_;  // of one row, as the rest
  std::vector<TumourMix> tumours_;
  std::vector<float> texture_row_, bias_row_;
};

}  // namespace

PhantomCase make_phantom_case(const PhantomCaseOptions& options) {
  return Painter(options).paint();
}

}  // namespace lacuna::data
