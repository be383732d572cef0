// One data set of a case file, seen through the file's mapping: contiguous voxels, or chunks that
// the calling thread decodes itself. HDF5 is asked once, in the constructor, where things lie.
//
// Reading is thread-safe. The mapping must outlive the object. Throws DataError naming the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/files/hash.h"
#include "data/cache/case_layout.h"
#include "data/cache/h5_check.h"

namespace lacuna::data {

class StoredVolume {
 public:
  // `name` is a data set of shape M x D x H x W, D x H x W or (n): the latter as 1 x 1 x n voxels.
  StoredVolume(hid_t file, const std::string& name, std::span<const std::byte> mapping,
               const std::string& path);

  std::int64_t modalities() const { return modalities_; }
  const Extent& extent() const { return grid_.extent; }
  std::size_t element_bytes() const { return element_bytes_; }

  // All elements, row-major; empty when the data set is chunked.
  std::span<const std::byte> contiguous() const { return contiguous_; }

  // Calls row(first voxel, its place, count) for each piece of a row inside `box` (within the
  // extent): whole rows when contiguous, cut at chunk borders otherwise. A pointer is valid during
  // the call.
  using Row = std::function<void(const std::byte* voxels, const Extent& place, std::int64_t count)>;
  void for_each_row(std::int64_t modality, const Box& box, const Row& row) const;

  // XXH3 of the elements, row-major, whatever the codec.
  std::string checksum() const;

 private:
  struct Piece {
    std::uint64_t offset = 0, bytes = 0;  // of a stored chunk in the file
  };
  void index_chunks(hid_t set, std::span<const std::byte> mapping);
  const std::byte* decode(std::int64_t modality, std::int64_t number) const;

  std::string name_, path_;
  std::int64_t modalities_ = 1;
  ChunkGrid grid_{Extent{}};
  std::size_t element_bytes_ = 1;
  std::span<const std::byte> contiguous_, mapping_;
  std::vector<Piece> chunks_;  // [modality][number]
};

}  // namespace lacuna::data
