#include "data/cache/case_writer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>

#include "base/files/hash.h"
#include "data/cache/case_layout.h"
#include "data/cache/h5_attribute.h"
#include "data/cache/lz4_chunk.h"
#include "data/cache/voxel_convert.h"

namespace lacuna::data {
namespace {

// A data set about to be written: M x D x H x W (rank 4), D x H x W (3) or a list (1).
struct DataSet {
  std::string name;
  hid_t type;
  std::size_t element_bytes;
  std::vector<hsize_t> shape;
  std::span<const std::byte> bytes;
};

H5Handle make_property(hid_t kind) {
  return {h5_check(H5Pcreate(kind), "make a property list for", "a case"), H5Pclose};
}

// Tracking the order of attributes makes HDF5 write object headers of version 2, which carry
// checksums: damage is found before it is parsed.
H5Handle make_checked_property(hid_t kind) {
  H5Handle list = make_property(kind);
  h5_check(H5Pset_attr_creation_order(list, H5P_CRT_ORDER_TRACKED), "set up", "a case");
  return list;
}

// In memory; every object 64-byte aligned, so that mapped arrays are aligned for any element. The
// superblock stays at version 0: in the image of a newer one HDF5 1.10 leaves a wrong checksum.
H5Handle make_file(const std::string& name) {
  const H5Handle access = make_property(H5P_FILE_ACCESS);
  h5_check(H5Pset_fapl_core(access, std::size_t{8} << 20, false), "set up", name);
  h5_check(H5Pset_alignment(access, 0, 64), "align", name);
  const H5Handle creation = make_checked_property(H5P_FILE_CREATE);
  h5_check(H5Pset_link_creation_order(creation, H5P_CRT_ORDER_TRACKED), "set up", name);
  return {h5_check(H5Fcreate(name.c_str(), H5F_ACC_TRUNC, creation, access), "create", name),
          H5Fclose};
}

H5Handle make_half_type() {
  H5Handle type(h5_check(H5Tcopy(H5T_IEEE_F32LE), "make type", "float16"), H5Tclose);
  h5_check(H5Tset_fields(type, 15, 10, 5, 0, 10), "make type", "float16");
  h5_check(H5Tset_size(type, 2), "make type", "float16");
  h5_check(H5Tset_ebias(type, 15), "make type", "float16");
  return type;
}

std::vector<std::byte> cut_chunk(const DataSet& set, const ChunkGrid& grid, std::int64_t modality,
                                 const Extent& corner) {
  std::vector<std::byte> chunk(static_cast<std::size_t>(kChunkVoxels) * set.element_bytes);
  const Extent& box = grid.extent;
  const std::int64_t width = std::min(kChunkEdge, box[2] - corner[2]);
  for (std::int64_t d = 0; d < std::min(kChunkEdge, box[0] - corner[0]); ++d) {
    for (std::int64_t h = 0; h < std::min(kChunkEdge, box[1] - corner[1]); ++h) {
      const std::int64_t from =
          ((modality * box[0] + corner[0] + d) * box[1] + corner[1] + h) * box[2] + corner[2];
      const std::int64_t to = (d * kChunkEdge + h) * kChunkEdge;
      std::memcpy(chunk.data() + static_cast<std::size_t>(to) * set.element_bytes,
                  set.bytes.data() + static_cast<std::size_t>(from) * set.element_bytes,
                  static_cast<std::size_t>(width) * set.element_bytes);
    }
  }
  return chunk;
}

void write_chunks(hid_t id, const DataSet& set) {
  const std::size_t rank = set.shape.size();
  const hsize_t* space = &set.shape[rank - 3];
  const ChunkGrid grid({static_cast<std::int64_t>(space[0]), static_cast<std::int64_t>(space[1]),
                        static_cast<std::int64_t>(space[2])});
  const std::int64_t modalities = rank == 4 ? static_cast<std::int64_t>(set.shape[0]) : 1;
  for (std::int64_t m = 0; m < modalities; ++m) {
    for (std::int64_t c = 0; c < grid.chunks(); ++c) {
      const Extent corner = grid.corner(c);
      const auto stored = encode_chunk(cut_chunk(set, grid, m, corner), set.element_bytes);
      std::vector<hsize_t> origin(corner.begin(), corner.end());
      if (rank == 4) origin.insert(origin.begin(), static_cast<hsize_t>(m));
      h5_check(H5Dwrite_chunk(id, H5P_DEFAULT, 0, origin.data(), stored.size(), stored.data()),
               "write a chunk of", set.name);
    }
  }
}

void write_data_set(hid_t file, const DataSet& set, bool compressed, CaseHeader& header) {
  const int rank = static_cast<int>(set.shape.size());
  // A chunk may not exceed the largest shape, so a volume smaller than a chunk is given room to
  // grow.
  std::vector<hsize_t> limit(set.shape.begin(), set.shape.end());
  for (std::size_t axis = limit.size() - 3; compressed && axis < limit.size(); ++axis) {
    limit[axis] = std::max<hsize_t>(limit[axis], kChunkEdge);
  }
  const H5Handle space(h5_check(H5Screate_simple(rank, set.shape.data(), limit.data()),
                                "make the shape of", set.name),
                       H5Sclose);
  const H5Handle creation = make_checked_property(H5P_DATASET_CREATE);
  if (compressed) {
    std::vector<hsize_t> chunk(3, static_cast<hsize_t>(kChunkEdge));
    if (rank == 4) chunk.insert(chunk.begin(), 1);
    h5_check(H5Pset_chunk(creation, rank, chunk.data()), "chunk", set.name);
    if (set.element_bytes > 1) h5_check(H5Pset_shuffle(creation), "shuffle", set.name);
    // Optional: this process has no such filter and hands over finished chunks. Without the entry
    // H5Dwrite_chunk would lose their sizes.
    h5_check(H5Pset_filter(creation, kLz4Filter, H5Z_FLAG_OPTIONAL, 0, nullptr), "set a filter for",
             set.name);
  } else {
    h5_check(H5Pset_alloc_time(creation, H5D_ALLOC_TIME_EARLY), "allocate", set.name);
    h5_check(H5Pset_fill_time(creation, H5D_FILL_TIME_NEVER), "allocate", set.name);
  }
  const H5Handle id(h5_check(H5Dcreate2(file, set.name.c_str(), set.type, space, H5P_DEFAULT,
                                        creation, H5P_DEFAULT),
                             "create data set", set.name),
                    H5Dclose);
  if (compressed) {
    write_chunks(id, set);
  } else if (!set.bytes.empty()) {
    h5_check(H5Dwrite(id, set.type, H5S_ALL, H5S_ALL, H5P_DEFAULT, set.bytes.data()), "write",
             set.name);
  }
  header.checksums[set.name] = hash_hex(set.bytes);
}

// Halves reach 65504; half of that leaves the finest steps to small intensities.
constexpr float kHalfRange = 32768;

std::vector<std::uint16_t> to_halves(CaseHeader& header, const std::vector<float>& reals) {
  std::vector<std::uint16_t> halves(reals.size());
  const std::size_t count = reals.size() / header.modalities.size();
  for (std::size_t m = 0; m < header.modalities.size(); ++m) {
    const IntensityStatistics& statistics = header.statistics[m];
    // The background becomes stored 0 and comes back exactly.
    const float offset = static_cast<float>(statistics.background);
    const float span = std::max(std::abs(static_cast<float>(statistics.maximum) - offset),
                                std::abs(static_cast<float>(statistics.minimum) - offset));
    const float scale = span > 0 ? span / kHalfRange : 1;
    header.offset[m] = offset;
    header.scale[m] = scale;
    if (!contains(header.info.available, static_cast<int>(m))) continue;
    narrow_half(&reals[m * count], scale, offset, &halves[m * count], count);
  }
  return halves;
}

std::vector<std::byte> file_image(hid_t file, const std::string& name) {
  h5_check(H5Fflush(file, H5F_SCOPE_GLOBAL), "flush", name);
  const ssize_t size = h5_check(H5Fget_file_image(file, nullptr, 0), "measure", name);
  std::vector<std::byte> bytes(static_cast<std::size_t>(size));
  h5_check(H5Fget_file_image(file, bytes.data(), bytes.size()), "read back", name);
  return bytes;
}

}  // namespace

std::vector<std::uint32_t> region_voxels(const Region& region,
                                         const std::vector<std::uint8_t>& label) {
  std::vector<std::uint32_t> voxels;
  for (std::size_t i = 0; i < label.size(); ++i) {
    if (label[i] != 0 && contains(region, label[i]))
      voxels.push_back(static_cast<std::uint32_t>(i));
  }
  return voxels;
}

std::vector<std::byte> encode_case(CaseHeader& header, const CaseVoxels& voxels) {
  const H5Quiet quiet;
  const std::string name = header.info.id + ".h5";
  const std::size_t modalities = header.modalities.size();
  header.scale.assign(modalities, 1);
  header.offset.assign(modalities, 0);
  header.checksums.clear();
  const bool real = !voxels.reals.empty();
  header.element = real ? "float16" : "int16";
  std::vector<std::uint16_t> halves;
  if (real) halves = to_halves(header, voxels.reals);

  const Extent& box = header.info.box_extent;
  const std::vector<hsize_t> space(box.begin(), box.end());
  std::vector<hsize_t> image_shape = space;
  image_shape.insert(image_shape.begin(), modalities);

  const bool compressed = header.codec == "lz4";
  H5Handle file = make_file(name);
  const H5Handle half = make_half_type();
  write_data_set(
      file,
      {"image", real ? static_cast<hid_t>(half) : H5T_STD_I16LE, 2, image_shape,
       real ? std::as_bytes(std::span(halves)) : std::as_bytes(std::span(voxels.integers))},
      compressed, header);
  if (!voxels.label.empty()) {
    write_data_set(file, {"label", H5T_STD_U8LE, 1, space, std::as_bytes(std::span(voxels.label))},
                   compressed, header);
    const H5Handle group(
        h5_check(H5Gcreate2(file, "foreground", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                 "create group", "foreground"),
        H5Gclose);
    for (const Region& region : header.regions) {
      const auto indices = region_voxels(region, voxels.label);
      write_data_set(file,
                     {"foreground/" + region.name,
                      H5T_STD_U32LE,
                      4,
                      {indices.size()},
                      std::as_bytes(std::span(indices))},
                     false, header);
    }
  }
  if (!voxels.label_maps.empty()) {
    const H5Handle group(h5_check(H5Gcreate2(file, "extras", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                                  "create group", "extras"),
                         H5Gclose);
    for (std::size_t i = 0; i < voxels.label_maps.size(); ++i) {
      write_data_set(file,
                     {"extras/" + header.label_maps[i].name, H5T_STD_U8LE, 1, image_shape,
                      std::as_bytes(std::span(voxels.label_maps[i]))},
                     compressed, header);
    }
  }
  header.info.has_label = !voxels.label.empty();
  header.info.checksum = header.checksum();
  write_header(file, header);
  std::vector<std::byte> bytes = file_image(file, name);
  header.info.bytes = bytes.size();
  file.close(name);
  return bytes;
}

}  // namespace lacuna::data
