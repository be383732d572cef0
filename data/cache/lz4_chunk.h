// One chunk of a compressed data set: byte shuffle (HDF5 filter 2) and then LZ4 in the framing of
// the registered HDF5 filter 32004, so that h5py with hdf5plugin and h5dump with the LZ4 plug-in
// read our files.
//
// Framing, big-endian: 8 bytes uncompressed size, 4 bytes block size, then per block 4 bytes of
// compressed size and the bytes; a block whose compressed size equals its plain size is stored
// plain. Pure functions, thread-safe.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace lacuna::data {

inline constexpr int kLz4Filter = 32004;

// Shuffles `plain` (elements of `element_bytes`; 1 = not at all) and compresses it as one block.
std::vector<std::byte> encode_chunk(std::span<const std::byte> plain, std::size_t element_bytes);

// Decompresses into `shuffled`, whose size must be the chunk's plain size. The shuffle is left in:
// plane b holds byte b of every element. Returns false on damaged bytes.
bool decode_chunk(std::span<const std::byte> stored, std::span<std::byte> shuffled);

}  // namespace lacuna::data
