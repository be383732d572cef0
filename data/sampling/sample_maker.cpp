#include "data/sampling/sample_maker.h"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "base/error.h"
#include "base/random.h"
#include "data/cache/case_layout.h"

namespace lacuna::data {
namespace {

std::int64_t mirrored(bool mirror, std::int64_t i, std::int64_t n) {
  return mirror ? n - 1 - i : i;
}

// Slices to read at once from slice `d` of the crop: one, which stays in the second-level cache, or
// up to the next border between chunks, so that each chunk of a compressed file is decoded once.
std::int64_t slab_depth(const CaseFile& file, const Crop& crop, std::int64_t d) {
  if (file.header().codec == "none") return 1;
  const std::int64_t place = crop.corner[0] + d - file.info().box_offset[0];
  const std::int64_t into_chunk = (place % kChunkEdge + kChunkEdge) % kChunkEdge;
  return std::min(kChunkEdge - into_chunk, crop.extent[0] - d);
}

void copy_row(const std::uint8_t* in, std::uint8_t* out, std::int64_t count, bool reversed) {
  if (reversed) {
    std::reverse_copy(in, in + count, out);
  } else {
    std::copy(in, in + count, out);
  }
}

auto label_of(const CaseFile& file) {
  return [&file](const Extent& corner, const Extent& extent, std::uint8_t* out) {
    file.read_label(corner, extent, out);
  };
}

void check_classes(const CaseFile& file, const LabelMapUse& use) {
  if (const auto problem = label_map_problem(file, use)) throw DataError(*problem);
}

}  // namespace

std::optional<std::string> label_map_problem(const CaseFile& file, const LabelMapUse& use) {
  for (const StoredLabelMap& map : file.header().label_maps) {
    if (map.name != use.name || map.classes <= use.classes) continue;
    return fmt::format(
        "case {}: label map {} has values up to {}, the method takes {} classes (0 to {}). "
        "Check the files that --extra named and ingest "
        "again.",
        file.info().id, use.name, map.classes - 1, use.classes, use.classes - 1);
  }
  return std::nullopt;
}

SampleMaker::SampleMaker(const DataRecipe& recipe, int modalities)
    : recipe_(recipe), modalities_(modalities) {}

Crop SampleMaker::make(const CaseFile& file, std::uint64_t seed, std::uint64_t index, float* image,
                       std::uint8_t* label, std::span<std::uint8_t* const> maps) {
  const CaseInfo& info = file.info();
  const AugmentationDraw drawn = draw_augmentation(recipe_.augmentation, modalities_, seed, index);
  Stream crop_stream(seed, Purpose::kCrop, index);
  const Crop crop = draw_crop(recipe_.crop, recipe_.patch,
                              {info.full_extent, info.box_offset, info.box_extent,
                               [&](int region) { return file.foreground(region); }},
                              crop_stream, drawn.stretch);
  const bool spatial = drawn.spatial.changes(), scaled = crop.extent != recipe_.patch;
  // read(corner, extent, out) of each label map and modality, with where the result belongs.
  const auto for_each_map = [&](const auto& use) {
    for (std::size_t i = 0; i < maps.size(); ++i) {
      if (maps[i] == nullptr) continue;
      check_classes(file, recipe_.label_maps[i]);
      for (int m = 0; m < modalities_; ++m) {
        use(
            [&, m](const Extent& corner, const Extent& extent, std::uint8_t* out) {
              file.read_label_map(recipe_.label_maps[i].name, m, corner, extent, out);
            },
            maps[i] + m * voxels(recipe_.patch));
      }
    }
  };
  if (!spatial && !scaled) {
    read_mirrored(file, crop, drawn.mirror, image, label);
    for_each_map([&](const auto& read, std::uint8_t* out) {
      copy_labels(file, crop, drawn.mirror, read, out);
    });
  } else {
    read_source(file, crop, drawn.mirror);
    std::optional<ElasticField> field;
    if (drawn.spatial.elastic_alpha != 0) {
      field = elastic_field(drawn, recipe_.patch, seed, index);
    }
    // The published pipelines scale a crop with linear images and nearest labels, stretch axes with
    // cubic images and nearest labels, and turn a plane by nearest voxels; cubic and indicator
    // interpolation belong to the other spatial transforms.
    const bool interpolates = drawn.spatial.interpolates();
    const bool stretched = drawn.stretch != std::array<double, 3>{1, 1, 1};
    const bool nearest = !interpolates && !scaled;
    const bool cubic = recipe_.augmentation.cubic && (interpolates || stretched) && !nearest;
    if (cubic) source_.prefilter();
    const SamplingMap map =
        spatial_map(drawn.spatial, recipe_.patch, crop.extent, field ? &*field : nullptr);
    resample(source_, map,
             {.cubic = cubic,
              .nearest_label = !interpolates,
              .nearest = nearest,
              .fill = recipe_.augmentation.plane_turn_fill},
             recipe_.patch, image, label);
    if (nearest) clear_absent(info.available, image);  // of the fill
    for_each_map([&](const auto& read, std::uint8_t* out) {
      map_source_.reset(crop.extent, 0);
      read_labels(file, crop, drawn.mirror, read, map_source_);
      resample(map_source_, map, {.nearest_label = true, .nearest = nearest}, recipe_.patch,
               nullptr, out);
    });
  }
  apply_intensity(drawn, info.available, recipe_.patch, seed, index, image, scratch_);
  return crop;
}

void SampleMaker::clear_absent(SubsetMask available, float* image) const {
  const std::int64_t count = voxels(recipe_.patch);
  for (int m = 0; m < modalities_; ++m) {
    if (!contains(available, m)) std::fill_n(image + m * count, count, 0.0f);
  }
}

// Straight from the file to the batch.
void SampleMaker::read_mirrored(const CaseFile& file, const Crop& crop,
                                const std::array<bool, 3>& mirror, float* image,
                                std::uint8_t* label) {
  const std::int64_t depth = crop.extent[0], height = crop.extent[1], width = crop.extent[2];
  const std::int64_t plane = height * width;
  const auto target = [&](std::int64_t d, std::int64_t h) {
    return mirrored(mirror[0], d, depth) * plane + mirrored(mirror[1], h, height) * width;
  };
  for (int m = 0; m < modalities_; ++m) {
    float* channel = image + m * depth * plane;
    for (std::int64_t begin = 0, count = 0; begin < depth; begin += count) {
      count = slab_depth(file, crop, begin);
      read_image(file, m, crop, begin, count, mirror[2],
                 [&](std::int64_t d, std::int64_t h) { return channel + target(d, h); });
    }
  }
  copy_labels(file, crop, mirror, label_of(file), label);
}

template <typename Read>
void SampleMaker::copy_labels(const CaseFile& file, const Crop& crop,
                              const std::array<bool, 3>& mirror, const Read& read,
                              std::uint8_t* label) {
  const auto [depth, height, width] = crop.extent;
  for_each_label_row(file, crop, read,
                     [&, depth = depth, height = height, width = width](
                         std::int64_t d, std::int64_t h, const std::uint8_t* row) {
                       const std::int64_t to =
                           mirrored(mirror[0], d, depth) * height + mirrored(mirror[1], h, height);
                       copy_row(row, label + to * width, width, mirror[2]);
                     });
}

// Through slabs of normalised voxels, of which four channels at a time are laid side by side.
void SampleMaker::read_source(const CaseFile& file, const Crop& crop,
                              const std::array<bool, 3>& mirror) {
  constexpr int kLanes = ResampleSource::kLanes;
  const std::int64_t depth = crop.extent[0], height = crop.extent[1], width = crop.extent[2];
  source_.reset(crop.extent, modalities_);
  for (int first = 0; first < modalities_; first += kLanes) {
    for (std::int64_t begin = 0, count = 0; begin < depth; begin += count) {
      count = slab_depth(file, crop, begin);
      const std::int64_t slab = count * height * width;
      slab_.assign(static_cast<std::size_t>(slab * kLanes), 0.0f);
      const auto place = [&](int lane, std::int64_t d, std::int64_t h) {
        return slab_.data() + lane * slab + ((d - begin) * height + h) * width;
      };
      for (int lane = 0; lane < kLanes && first + lane < modalities_; ++lane) {
        read_image(file, first + lane, crop, begin, count, mirror[2],
                   [&](std::int64_t d, std::int64_t h) { return place(lane, d, h); });
      }
      for (std::int64_t d = begin; d < begin + count; ++d) {
        for (std::int64_t h = 0; h < height; ++h) {
          source_.set_rows(first, mirrored(mirror[0], d, depth), mirrored(mirror[1], h, height),
                           {place(0, d, h), place(1, d, h), place(2, d, h), place(3, d, h)});
        }
      }
    }
  }
  read_labels(file, crop, mirror, label_of(file), source_);
}

template <typename Read>
void SampleMaker::read_labels(const CaseFile& file, const Crop& crop,
                              const std::array<bool, 3>& mirror, const Read& read,
                              ResampleSource& source) {
  const auto [depth, height, width] = crop.extent;
  label_row_.resize(static_cast<std::size_t>(width));
  for_each_label_row(file, crop, read,
                     [&, depth = depth, height = height, width = width](
                         std::int64_t d, std::int64_t h, const std::uint8_t* row) {
                       copy_row(row, label_row_.data(), width, mirror[2]);
                       source.set_label_row(mirrored(mirror[0], d, depth),
                                            mirrored(mirror[1], h, height), label_row_.data());
                     });
}

template <typename RowAt>
void SampleMaker::read_image(const CaseFile& file, int modality, const Crop& crop,
                             std::int64_t begin, std::int64_t count, bool reversed,
                             const RowAt& row_at) {
  const auto [depth, height, width] = crop.extent;
  const CaseInfo& info = file.info();
  bool all_stored = contains(info.available, modality);
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const std::int64_t place = crop.corner[axis] - info.box_offset[axis];
    all_stored = all_stored && place >= 0 && place + crop.extent[axis] <= info.box_extent[axis];
  }
  if (!all_stored) {  // background is 0 in every normalisation
    for (std::int64_t d = begin; d < begin + count; ++d) {
      for (std::int64_t h = 0; h < height; ++h) std::fill_n(row_at(d, h), width, 0.0f);
    }
  }
  const IntensityMap map = intensity_map(recipe_, file, modality);
  file.for_each_stored_row(
      modality, {crop.corner[0] + begin, crop.corner[1], crop.corner[2]}, {count, height, width},
      [&, w_extent = width](const StoredRow& row) {
        const std::int64_t w = reversed ? w_extent - row.place[2] - row.count : row.place[2];
        normalise_row(map, row, row_at(begin + row.place[0], row.place[1]) + w, reversed);
      });
}

template <typename Read, typename Use>
void SampleMaker::for_each_label_row(const CaseFile& file, const Crop& crop, const Read& read,
                                     const Use& use) {
  const auto [depth, height, width] = crop.extent;
  for (std::int64_t begin = 0, count = 0; begin < depth; begin += count) {
    count = slab_depth(file, crop, begin);
    label_slab_.resize(static_cast<std::size_t>(count * height * width));
    read(Extent{crop.corner[0] + begin, crop.corner[1], crop.corner[2]},
         Extent{count, height, width}, label_slab_.data());
    for (std::int64_t row = 0; row < count * height; ++row) {
      use(begin + row / height, row % height, label_slab_.data() + row * width);
    }
  }
}

}  // namespace lacuna::data
