#include "monitoring/report/case_picture.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "monitoring/report/overlay_picture.h"

namespace lacuna::monitoring {
namespace {

constexpr int kGap = 4;               // pixels
constexpr std::int64_t kSmall = 200;  // panels are about as wide at least
constexpr std::uint8_t kGapGrey = 255;

// Which axes of the volume are the rows and columns of a plane, and which one it cuts.
struct Plane {
  std::size_t cut, rows, columns;
  bool flipped;  // rows from the last to the first
};
constexpr std::array<Plane, 3> kPlanes = {{{0, 1, 2, false}, {1, 0, 2, true}, {2, 0, 1, true}}};

std::size_t flat(const data::Extent& at, const data::Extent& extent) {
  return static_cast<std::size_t>((at[0] * extent[1] + at[1]) * extent[2] + at[2]);
}

// For each axis the slice with most voxels of the mask.
data::Extent fullest(const std::vector<std::uint8_t>& mask, const data::Extent& extent) {
  std::array<std::vector<std::int64_t>, 3> counts;
  for (std::size_t a = 0; a < 3; ++a) counts[a].resize(static_cast<std::size_t>(extent[a]));
  data::Extent at{};
  for (at[0] = 0; at[0] < extent[0]; ++at[0]) {
    for (at[1] = 0; at[1] < extent[1]; ++at[1]) {
      for (at[2] = 0; at[2] < extent[2]; ++at[2]) {
        if (mask[flat(at, extent)] == 0) continue;
        for (std::size_t a = 0; a < 3; ++a) ++counts[a][static_cast<std::size_t>(at[a])];
      }
    }
  }
  data::Extent centre{};
  for (std::size_t a = 0; a < 3; ++a) {
    const auto most = std::max_element(counts[a].begin(), counts[a].end());
    centre[a] = *most == 0 ? extent[a] / 2 : most - counts[a].begin();
  }
  return centre;
}

// What a modality shows as black and as white.
std::pair<float, float> window_of(const std::vector<float>& volume) {
  const float least = *std::min_element(volume.begin(), volume.end());
  std::vector<float> above;
  std::copy_if(volume.begin(), volume.end(), std::back_inserter(above),
               [least](float v) { return v > least; });
  if (above.empty()) return {least, least + 1};
  const auto at = [&](double part) {
    const auto place = static_cast<std::ptrdiff_t>(part * static_cast<double>(above.size() - 1));
    std::nth_element(above.begin(), above.begin() + place, above.end());
    return above[static_cast<std::size_t>(place)];
  };
  const float low = at(0.01), high = at(0.995);
  return {low, std::max(high, low + 1e-6F)};
}

struct Canvas {
  Image image;
  int x = 0, y = 0;  // where the next panel begins

  void set(int px, int py, int part, double value) {
    const auto at = static_cast<std::size_t>(((y + py) * image.width + x + px) * 3 + part);
    image.pixels[at] = static_cast<std::uint8_t>(std::clamp(value, 0.0, 255.0));
  }
};

}  // namespace

CasePicture draw_case(const CaseVolumes& volumes) {
  const data::Extent& extent = volumes.extent;
  const auto count = static_cast<std::size_t>(extent[0] * extent[1] * extent[2]);
  const auto fits = [count](const auto& volume) { return volume.size() == count; };
  if (volumes.images.empty() || !std::all_of(volumes.images.begin(), volumes.images.end(), fits) ||
      !std::all_of(volumes.masks.begin(), volumes.masks.end(), fits)) {
    throw_error<Error>("a picture of a case needs an image, and volumes of one extent");
  }
  CasePicture picture;
  for (std::size_t a = 0; a < 3; ++a) picture.centre[a] = extent[a] / 2;
  if (!volumes.masks.empty()) picture.centre = fullest(volumes.masks.front(), extent);

  // Square pixels of the finest spacing, several to a voxel where the volume is small.
  const double finest = *std::min_element(volumes.spacing_mm.begin(), volumes.spacing_mm.end());
  const std::int64_t widest = std::max(extent[1], extent[2]);
  const double pixel = finest / static_cast<double>(std::max<std::int64_t>(1, kSmall / widest));
  std::array<int, 3> size{};
  for (std::size_t a = 0; a < 3; ++a) {
    size[a] = std::max(1, static_cast<int>(std::lround(static_cast<double>(extent[a]) *
                                                       volumes.spacing_mm[a] / pixel)));
  }
  const std::size_t panels = volumes.images.size() + volumes.masks.size();
  const int panel_width = std::max(size[2], size[1]);
  Canvas canvas;
  canvas.image.channels = 3;
  canvas.image.width = static_cast<int>(panels) * (panel_width + kGap) - kGap;
  canvas.image.height = size[1] + 2 * size[0] + 2 * kGap;
  canvas.image.pixels.assign(static_cast<std::size_t>(canvas.image.width) *
                                 static_cast<std::size_t>(canvas.image.height) * 3,
                             kGapGrey);

  for (std::size_t panel = 0; panel < panels; ++panel) {
    const bool is_mask = panel >= volumes.images.size();
    const std::vector<float>& grey = volumes.images[is_mask ? 0 : panel];
    const auto [low, high] = window_of(grey);
    canvas.x = static_cast<int>(panel) * (panel_width + kGap);
    canvas.y = 0;
    for (const Plane& plane : kPlanes) {
      const int height = size[plane.rows], width = size[plane.columns];
      for (int py = 0; py < height; ++py) {
        for (int px = 0; px < width; ++px) {
          data::Extent at = picture.centre;
          const int row = plane.flipped ? height - 1 - py : py;
          at[plane.rows] = std::int64_t{row} * extent[plane.rows] / height;
          at[plane.columns] = std::int64_t{px} * extent[plane.columns] / width;
          const std::size_t voxel = flat(at, extent);
          const double shade = 255.0 * (grey[voxel] - low) / (high - low);
          const std::size_t tissue =
              is_mask ? volumes.masks[panel - volumes.images.size()][voxel] : 0;
          const TissueColour& colour = kTissueColours[std::min(tissue, kTissueColours.size() - 1)];
          const std::array<int, 3> parts = {colour.red, colour.green, colour.blue};
          for (int part = 0; part < 3; ++part) {
            const double own = std::clamp(shade, 0.0, 255.0);
            canvas.set(px, py, part,
                       tissue == 0 ? own
                                   : (1 - kTissueOpacity) * own +
                                         kTissueOpacity * parts[static_cast<std::size_t>(part)]);
          }
        }
      }
      canvas.y += height + kGap;
    }
  }
  picture.image = std::move(canvas.image);
  return picture;
}

}  // namespace lacuna::monitoring
