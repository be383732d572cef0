// Makes the bytes of a case file (docs/file-formats.md). They are made in memory and written
// durably by the caller, so a case file is whole or absent.
//
// Pure function of its arguments; thread-safe (HDF5's global lock is held while the small parts
// are assembled, not while chunks are compressed).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "data/cache/case_header.h"

namespace lacuna::data {

// Voxels of the brain box, row-major.
struct CaseVoxels {
  // M x D x H x W; exactly one of the two is filled. An absent modality is all zero.
  std::vector<std::int16_t> integers;
  std::vector<float> reals;         // stored as float16 with scale and offset
  std::vector<std::uint8_t> label;  // D x H x W Tissue values; empty without a label
  std::vector<std::vector<std::uint8_t>>
      label_maps;  // M x D x H x W each, as CaseHeader::label_maps
};

// Fills in element, scale, offset, checksums and size of the header.
std::vector<std::byte> encode_case(CaseHeader& header, const CaseVoxels& voxels);

// Flat indices of the voxels that belong to a region, ascending.
std::vector<std::uint32_t> region_voxels(const Region& region,
                                         const std::vector<std::uint8_t>& label);

}  // namespace lacuna::data
