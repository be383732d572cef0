#include "data/sample_maker.h"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "base/random.h"

namespace lacuna::data {
namespace {

std::int64_t mirrored(bool mirror, std::int64_t i, std::int64_t n) {
  return mirror ? n - 1 - i : i;
}

void copy_row(const std::uint8_t* in, std::uint8_t* out, std::int64_t count, bool reversed) {
  if (reversed) {
    std::reverse_copy(in, in + count, out);
  } else {
    std::copy(in, in + count, out);
  }
}

}  // namespace

SampleMaker::SampleMaker(const DataRecipe& recipe, int modalities)
    : recipe_(recipe), modalities_(modalities) {}

Crop SampleMaker::make(const CaseFile& file, std::uint64_t seed, std::uint64_t index, float* image,
                       std::uint8_t* label) {
  const CaseInfo& info = file.info();
  Stream crop_stream(seed, Purpose::kCrop, index);
  const Crop crop = draw_crop(recipe_.crop, recipe_.patch,
                              {info.full_extent, info.box_offset, info.box_extent,
                               [&](int region) { return file.foreground(region); }},
                              crop_stream);
  const AugmentationDraw drawn = draw_augmentation(recipe_.augmentation, modalities_, seed, index);
  const bool spatial = drawn.spatial.changes();
  if (!spatial && crop.extent == recipe_.patch) {
    read_mirrored(file, crop, drawn.mirror, image, label);
  } else {
    read_source(file, crop, drawn.mirror);
    std::optional<ElasticField> field;
    if (drawn.spatial.elastic_alpha != 0) {
      field = elastic_field(drawn, recipe_.patch, seed, index);
    }
    // The published pipeline scales a crop with linear images and nearest labels; cubic and
    // indicator interpolation belong to the spatial transforms.
    const bool cubic = recipe_.augmentation.cubic && spatial;
    if (cubic) source_.prefilter();
    resample(source_,
             spatial_map(drawn.spatial, recipe_.patch, crop.extent, field ? &*field : nullptr),
             {.cubic = cubic, .nearest_label = !spatial}, recipe_.patch, image, label);
  }
  apply_intensity(drawn, info.available, recipe_.patch, seed, index, image, scratch_);
  return crop;
}

// A slice at a time, so that raw values pass from the file to the batch through the cache.
void SampleMaker::read_mirrored(const CaseFile& file, const Crop& crop,
                                const std::array<bool, 3>& mirror, float* image,
                                std::uint8_t* label) {
  const auto [depth, height, width] = crop.extent;
  const std::int64_t plane = height * width;
  slab_.resize(static_cast<std::size_t>(plane));
  label_slab_.resize(static_cast<std::size_t>(plane));
  const auto target = [&](std::int64_t d, std::int64_t h) {
    return mirrored(mirror[0], d, depth) * plane + mirrored(mirror[1], h, height) * width;
  };
  for (int m = 0; m < modalities_; ++m) {
    float* channel = image + m * depth * plane;
    if (!contains(file.info().available, m)) {
      std::fill(channel, channel + depth * plane, 0.0f);
      continue;
    }
    const IntensityMap map = intensity_map(recipe_.normalisation, file.statistics(m));
    for (std::int64_t d = 0; d < depth; ++d) {
      const Extent corner = {crop.corner[0] + d, crop.corner[1], crop.corner[2]};
      file.read_image(m, corner, {1, height, width}, slab_.data());
      for (std::int64_t h = 0; h < height; ++h) {
        normalise_row(map, slab_.data() + h * width, channel + target(d, h),
                      static_cast<std::size_t>(width), mirror[2]);
      }
    }
  }
  for (std::int64_t d = 0; d < depth; ++d) {
    const Extent corner = {crop.corner[0] + d, crop.corner[1], crop.corner[2]};
    file.read_label(corner, {1, height, width}, label_slab_.data());
    for (std::int64_t h = 0; h < height; ++h) {
      copy_row(label_slab_.data() + h * width, label + target(d, h), width, mirror[2]);
    }
  }
}

void SampleMaker::read_source(const CaseFile& file, const Crop& crop,
                              const std::array<bool, 3>& mirror) {
  const auto [depth, height, width] = crop.extent;
  const std::int64_t plane = height * width;
  source_.reset(crop.extent, modalities_);
  slab_.resize(static_cast<std::size_t>(plane));
  row_.resize(static_cast<std::size_t>(width));
  label_slab_.resize(static_cast<std::size_t>(plane + width));
  std::uint8_t* label_row = label_slab_.data() + plane;
  for (std::int64_t d = 0; d < depth; ++d) {
    const Extent corner = {crop.corner[0] + d, crop.corner[1], crop.corner[2]};
    const std::int64_t to_d = mirrored(mirror[0], d, depth);
    for (int m = 0; m < modalities_; ++m) {
      if (!contains(file.info().available, m)) continue;
      const IntensityMap map = intensity_map(recipe_.normalisation, file.statistics(m));
      file.read_image(m, corner, {1, height, width}, slab_.data());
      for (std::int64_t h = 0; h < height; ++h) {
        normalise_row(map, slab_.data() + h * width, row_.data(), static_cast<std::size_t>(width),
                      mirror[2]);
        source_.set_row(m, to_d, mirrored(mirror[1], h, height), row_.data());
      }
    }
    file.read_label(corner, {1, height, width}, label_slab_.data());
    for (std::int64_t h = 0; h < height; ++h) {
      copy_row(label_slab_.data() + h * width, label_row, width, mirror[2]);
      source_.set_label_row(to_d, mirrored(mirror[1], h, height), label_row);
    }
  }
}

}  // namespace lacuna::data
