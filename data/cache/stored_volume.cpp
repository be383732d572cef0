#include "data/cache/stored_volume.h"

#include <cstring>

#include "data/cache/lz4_chunk.h"
#include "data/cache/voxel_convert.h"

namespace lacuna::data {
namespace {

constexpr const char* kDamaged =
    "{}: data set {} is damaged: {}. Delete the file and run lacuna ingest again: it makes only "
    "what is missing.";

}  // namespace

StoredVolume::StoredVolume(hid_t file, const std::string& name, std::span<const std::byte> mapping,
                           const std::string& path)
    : name_(name), path_(path), mapping_(mapping) {
  const std::string tried = "open data set " + name;
  const H5Handle set(h5_check(H5Dopen2(file, name.c_str(), H5P_DEFAULT), tried, path), H5Dclose);
  const H5Handle type(h5_check(H5Dget_type(set), tried, path), H5Tclose);
  const H5Handle space(h5_check(H5Dget_space(set), tried, path), H5Sclose);
  const H5Handle creation(h5_check(H5Dget_create_plist(set), tried, path), H5Pclose);
  element_bytes_ = H5Tget_size(type);
  const int rank = h5_check(H5Sget_simple_extent_ndims(space), tried, path);
  hsize_t shape[4] = {1, 1, 1, 1};
  if (rank < 1 || rank > 4 || element_bytes_ == 0 || element_bytes_ > 8) {
    throw_error<DataError>(kDamaged, path, name, "impossible shape or type");
  }
  h5_check(H5Sget_simple_extent_dims(space, shape + 4 - rank, nullptr), tried, path);
  modalities_ = static_cast<std::int64_t>(shape[0]);
  Extent extent;
  for (std::size_t a = 0; a < 3; ++a) extent[a] = static_cast<std::int64_t>(shape[a + 1]);
  std::int64_t bytes = static_cast<std::int64_t>(element_bytes_);
  for (const hsize_t side : shape) {
    if (side > INT32_MAX ||
        __builtin_mul_overflow(bytes, static_cast<std::int64_t>(side), &bytes)) {
      throw_error<DataError>(kDamaged, path, name, "impossible shape");
    }
  }
  grid_ = ChunkGrid(extent);

  if (H5Pget_layout(creation) == H5D_CHUNKED) {
    index_chunks(set, mapping);
    return;
  }
  if (bytes == 0) return;
  const haddr_t offset = H5Dget_offset(set);
  const auto size = static_cast<std::uint64_t>(bytes);
  if (offset == HADDR_UNDEF || size > mapping.size() || offset > mapping.size() - size ||
      offset % element_bytes_ != 0) {
    throw_error<DataError>(kDamaged, path, name, "it lies outside the file");
  }
  contiguous_ = mapping.subspan(offset, size);
}

void StoredVolume::index_chunks(hid_t set, std::span<const std::byte> mapping) {
  const H5Handle space(h5_check(H5Dget_space(set), "index data set " + name_, path_), H5Sclose);
  // No chunk takes less than a byte of the file.
  if (grid_.chunks() > static_cast<std::int64_t>(mapping.size()) ||
      modalities_ * grid_.chunks() > static_cast<std::int64_t>(mapping.size())) {
    throw_error<DataError>(kDamaged, path_, name_, "more chunks than the file can hold");
  }
  const bool has_modalities = H5Sget_simple_extent_ndims(space) == 4;
  for (std::int64_t m = 0; m < modalities_; ++m) {
    for (std::int64_t c = 0; c < grid_.chunks(); ++c) {
      const Extent corner = grid_.corner(c);
      std::vector<hsize_t> origin(corner.begin(), corner.end());
      if (has_modalities) origin.insert(origin.begin(), static_cast<hsize_t>(m));
      unsigned skipped = 0;
      haddr_t offset = HADDR_UNDEF;
      hsize_t bytes = 0;
      h5_check(H5Dget_chunk_info_by_coord(set, origin.data(), &skipped, &offset, &bytes),
               "index data set " + name_, path_);
      if (offset == HADDR_UNDEF || bytes > mapping.size() || offset > mapping.size() - bytes ||
          skipped != 0) {
        throw_error<DataError>(kDamaged, path_, name_, "a chunk is missing");
      }
      chunks_.push_back({offset, bytes});
    }
  }
}

const std::byte* StoredVolume::decode(std::int64_t modality, std::int64_t number) const {
  thread_local std::vector<std::byte> shuffled, plain;
  const std::size_t bytes = static_cast<std::size_t>(kChunkVoxels) * element_bytes_;
  shuffled.resize(bytes);
  const Piece& piece = chunks_[static_cast<std::size_t>(modality * grid_.chunks() + number)];
  if (!decode_chunk(mapping_.subspan(piece.offset, piece.bytes), shuffled)) {
    throw_error<DataError>(kDamaged, path_, name_, "a chunk cannot be decompressed");
  }
  if (element_bytes_ == 1) return shuffled.data();
  plain.resize(bytes);
  const auto* low = reinterpret_cast<const std::uint8_t*>(shuffled.data());
  unshuffle(low, low + kChunkVoxels, reinterpret_cast<std::uint16_t*>(plain.data()), kChunkVoxels);
  return plain.data();
}

void StoredVolume::for_each_row(std::int64_t modality, const Box& box, const Row& row) const {
  if (box.empty()) return;
  if (chunks_.empty()) {
    const Extent& extent = grid_.extent;
    const std::int64_t count = box.end[2] - box.begin[2];
    for (std::int64_t d = box.begin[0]; d < box.end[0]; ++d) {
      for (std::int64_t h = box.begin[1]; h < box.end[1]; ++h) {
        const std::int64_t at =
            ((modality * extent[0] + d) * extent[1] + h) * extent[2] + box.begin[2];
        row(contiguous_.data() + static_cast<std::size_t>(at) * element_bytes_,
            {d, h, box.begin[2]}, count);
      }
    }
    return;
  }
  Box places;
  for (std::size_t a = 0; a < 3; ++a) {
    places.begin[a] = box.begin[a] / kChunkEdge;
    places.end[a] = (box.end[a] + kChunkEdge - 1) / kChunkEdge;
  }
  Extent place;
  for (place[0] = places.begin[0]; place[0] < places.end[0]; ++place[0]) {
    for (place[1] = places.begin[1]; place[1] < places.end[1]; ++place[1]) {
      for (place[2] = places.begin[2]; place[2] < places.end[2]; ++place[2]) {
        const std::int64_t number = grid_.number(place);
        const Extent corner = grid_.corner(number);
        const Box part = box.intersect(
            {corner, {corner[0] + kChunkEdge, corner[1] + kChunkEdge, corner[2] + kChunkEdge}});
        const std::byte* chunk = decode(modality, number);
        for (std::int64_t d = part.begin[0]; d < part.end[0]; ++d) {
          for (std::int64_t h = part.begin[1]; h < part.end[1]; ++h) {
            const std::int64_t at = ((d - corner[0]) * kChunkEdge + h - corner[1]) * kChunkEdge +
                                    part.begin[2] - corner[2];
            row(chunk + static_cast<std::size_t>(at) * element_bytes_, {d, h, part.begin[2]},
                part.end[2] - part.begin[2]);
          }
        }
      }
    }
  }
}

std::string StoredVolume::checksum() const {
  if (chunks_.empty()) return hash_hex(contiguous_);
  // A slab of chunks at a time, put back into row-major order.
  Hasher hasher;
  const Extent& extent = grid_.extent;
  std::vector<std::byte> slab;
  for (std::int64_t m = 0; m < modalities_; ++m) {
    for (std::int64_t d = 0; d < extent[0]; d += kChunkEdge) {
      const std::int64_t depth = std::min(kChunkEdge, extent[0] - d);
      slab.resize(static_cast<std::size_t>(depth * extent[1] * extent[2]) * element_bytes_);
      for_each_row(m, {{d, 0, 0}, {d + depth, extent[1], extent[2]}},
                   [&](const std::byte* voxels, const Extent& place, std::int64_t count) {
                     const std::int64_t at =
                         ((place[0] - d) * extent[1] + place[1]) * extent[2] + place[2];
                     std::memcpy(slab.data() + static_cast<std::size_t>(at) * element_bytes_,
                                 voxels, static_cast<std::size_t>(count) * element_bytes_);
                   });
      hasher.add(slab);
    }
  }
  return hasher.hex();
}

}  // namespace lacuna::data
