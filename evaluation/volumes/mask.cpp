#include "evaluation/volumes/mask.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/error.h"

namespace lacuna::evaluation {
namespace {

// Bit 0 of each of 8 bytes, gathered: byte i becomes bit i.
std::uint64_t gather_bits(std::uint64_t bytes) {
  return (bytes & 0x0101010101010101u) * 0x0102040810204080u >> 56;
}

// 64 labels as three bit planes: bit v of plane b is bit b of label v.
struct BitPlanes {
  std::uint64_t plane[3]{};

  std::uint64_t members(std::uint32_t tissues) const {
    std::uint64_t members = 0;
    for (unsigned tissue = 0; tissue < 8; ++tissue) {
      if (!(tissues >> tissue & 1u)) continue;
      std::uint64_t equal = ~std::uint64_t{0};
      for (unsigned b = 0; b < 3; ++b) equal &= tissue >> b & 1u ? plane[b] : ~plane[b];
      members |= equal;
    }
    return members;
  }
};

// Sets planes and returns the union of all labels' bits (0: background only, planes stay unset).
std::uint64_t load_planes(const std::uint8_t* labels, std::int64_t number, BitPlanes& planes) {
  std::uint64_t chunks[8]{};
  if (number == kWordBits) {
    std::memcpy(chunks, labels, sizeof chunks);  // of known size: two vector moves
  } else {
    std::memcpy(chunks, labels, static_cast<std::size_t>(number));
  }
  std::uint64_t any = 0;
  for (const std::uint64_t chunk : chunks) any |= chunk;
  if (any == 0) return 0;
  for (unsigned b = 0; b < 3; ++b) {
    planes.plane[b] = 0;
    for (unsigned i = 0; i < 8; ++i) planes.plane[b] |= gather_bits(chunks[i] >> b) << 8 * i;
  }
  return any;
}

}  // namespace

Box unite(const Box& a, const Box& b) {
  if (a.empty()) return b;
  if (b.empty()) return a;
  Box all;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    all.corner[axis] = std::min(a.corner[axis], b.corner[axis]);
    all.extent[axis] = std::max(a.corner[axis] + a.extent[axis], b.corner[axis] + b.extent[axis]) -
                       all.corner[axis];
  }
  return all;
}

bool is_inside(const Box& inner, const Box& outer) { return unite(inner, outer) == outer; }

Mask::Mask(const Extent& extent)
    : extent_(extent),
      words_per_row_((extent[2] + kWordBits - 1) / kWordBits),
      words_(static_cast<std::size_t>(extent[0] * extent[1] * words_per_row_)) {}

std::span<std::uint64_t> Mask::row(std::int64_t d, std::int64_t h) {
  return {words_.data() + (d * extent_[1] + h) * words_per_row_,
          static_cast<std::size_t>(words_per_row_)};
}

std::span<const std::uint64_t> Mask::row(std::int64_t d, std::int64_t h) const {
  return {words_.data() + (d * extent_[1] + h) * words_per_row_,
          static_cast<std::size_t>(words_per_row_)};
}

std::int64_t Mask::count() const {
  std::int64_t bits = 0;
  for (const std::uint64_t word : words_) bits += std::popcount(word);
  return bits;
}

Box Mask::bounding_box() const {
  std::vector<std::uint64_t> any(static_cast<std::size_t>(words_per_row_));
  std::int64_t d_low = extent_[0], d_high = -1, h_low = extent_[1], h_high = -1;
  for (std::int64_t d = 0; d < extent_[0]; ++d) {
    for (std::int64_t h = 0; h < extent_[1]; ++h) {
      std::uint64_t occupied = 0;
      const auto words = row(d, h);
      for (std::size_t i = 0; i < words.size(); ++i) {
        occupied |= words[i];
        any[i] |= words[i];
      }
      if (occupied == 0) continue;
      d_low = std::min(d_low, d);
      d_high = d;
      h_low = std::min(h_low, h);
      h_high = std::max(h_high, h);
    }
  }
  if (d_high < 0) return {};
  const auto first = std::find_if(any.begin(), any.end(), [](auto word) { return word != 0; });
  const auto last = std::find_if(any.rbegin(), any.rend(), [](auto word) { return word != 0; });
  const std::int64_t w_low = (first - any.begin()) * kWordBits + std::countr_zero(*first);
  const std::int64_t w_end = (any.rend() - last) * kWordBits - std::countl_zero(*last);
  return {{d_low, h_low, w_low}, {d_high + 1 - d_low, h_high + 1 - h_low, w_end - w_low}};
}

std::int64_t count_common(const Mask& a, const Mask& b) {
  std::int64_t bits = 0;
  for (std::size_t i = 0; i < a.words().size(); ++i) {
    bits += std::popcount(a.words()[i] & b.words()[i]);
  }
  return bits;
}

std::vector<Mask> region_masks(std::span<const std::uint8_t> labels, const Extent& extent,
                               const std::vector<data::Region>& regions) {
  const std::int64_t voxels = extent[0] * extent[1] * extent[2];
  if (static_cast<std::int64_t>(labels.size()) != voxels) {
    throw_error<DataError>("a label volume of {} voxels cannot be {} x {} x {}", labels.size(),
                           extent[0], extent[1], extent[2]);
  }
  std::vector<Mask> masks(regions.size(), Mask(extent));
  const std::uint8_t* source = labels.data();
  std::uint64_t seen = 0;
  for (std::int64_t d = 0; d < extent[0]; ++d) {
    for (std::int64_t h = 0; h < extent[1]; ++h, source += extent[2]) {
      for (std::int64_t w = 0; w < extent[2]; w += kWordBits) {
        BitPlanes planes;
        const std::uint64_t any =
            load_planes(source + w, std::min(kWordBits, extent[2] - w), planes);
        if (any == 0) continue;
        seen |= any;
        for (std::size_t r = 0; r < regions.size(); ++r) {
          masks[r].row(d, h)[static_cast<std::size_t>(w / kWordBits)] =
              planes.members(regions[r].tissues & ~1u);
        }
      }
    }
  }
  if ((seen & 0xF8F8F8F8F8F8F8F8u) != 0) {
    throw_error<DataError>("a label volume holds values above 7: not tissue labels");
  }
  return masks;
}

Mask surface_of(const Mask& mask) {
  const Extent& extent = mask.extent();
  const auto words = static_cast<std::size_t>(mask.words_per_row());
  const std::vector<std::uint64_t> outside(words);
  Mask surface(extent);
  for (std::int64_t d = 0; d < extent[0]; ++d) {
    for (std::int64_t h = 0; h < extent[1]; ++h) {
      const auto here = mask.row(d, h);
      const auto neighbour = [&](std::int64_t dd, std::int64_t hh) {
        const bool exists = dd >= 0 && dd < extent[0] && hh >= 0 && hh < extent[1];
        return exists ? mask.row(dd, hh).data() : outside.data();
      };
      const auto* above = neighbour(d - 1, h);
      const auto* below = neighbour(d + 1, h);
      const auto* front = neighbour(d, h - 1);
      const auto* back = neighbour(d, h + 1);
      for (std::size_t i = 0; i < words; ++i) {
        if (here[i] == 0) continue;
        const std::uint64_t left = here[i] << 1 | (i > 0 ? here[i - 1] >> 63 : 0);
        const std::uint64_t right = here[i] >> 1 | (i + 1 < words ? here[i + 1] << 63 : 0);
        surface.row(d, h)[i] = here[i] & ~(left & right & above[i] & below[i] & front[i] & back[i]);
      }
    }
  }
  return surface;
}

}  // namespace lacuna::evaluation
