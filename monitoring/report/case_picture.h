// A case at a glance: three planes through its tumour, modalities side by side, then the truth and
// masks of methods over the first modality. Pure function.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "data/types/extent.h"
#include "monitoring/report/png.h"

namespace lacuna::monitoring {

struct CaseVolumes {
  data::Extent extent{};                         // D x H x W
  std::array<double, 3> spacing_mm{1, 1, 1};     // along D, H, W
  std::vector<std::vector<float>> images;        // of each modality
  std::vector<std::vector<std::uint8_t>> masks;  // Tissue values: the truth first
};

struct CasePicture {
  Image image;
  data::Extent centre{};  // voxel through which the planes go
};

// Rows: axial, coronal, sagittal (D and H fall in them; the superior end on top where D points
// there). Planes go where the first mask has most voxels, through the middle where it is empty.
// Pixels are square: thick slices are drawn high. Grey: from the first to the 99.5th percentile of
// the voxels above the least. Throws Error when a volume does not fit the extent.
CasePicture draw_case(const CaseVolumes& volumes);

}  // namespace lacuna::monitoring
