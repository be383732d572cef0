#include "data/cache/lz4_chunk.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include <lz4.h>

namespace lacuna::data {
namespace {

constexpr std::size_t kHeaderBytes = 12;  // uncompressed size and block size

void put_big_endian(std::byte* out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out[i] = static_cast<std::byte>(value >> 8 * (bytes - 1 - i));
}

std::uint64_t get_big_endian(const std::byte* in, int bytes) {
  std::uint64_t value = 0;
  for (int i = 0; i < bytes; ++i) value = value << 8 | static_cast<std::uint64_t>(in[i]);
  return value;
}

std::vector<std::byte> shuffle(std::span<const std::byte> plain, std::size_t element_bytes) {
  std::vector<std::byte> planes(plain.size());
  const std::size_t elements = plain.size() / element_bytes;
  for (std::size_t b = 0; b < element_bytes; ++b) {
    for (std::size_t i = 0; i < elements; ++i) {
      planes[b * elements + i] = plain[i * element_bytes + b];
    }
  }
  return planes;
}

}  // namespace

std::vector<std::byte> encode_chunk(std::span<const std::byte> plain, std::size_t element_bytes) {
  const std::vector<std::byte> planes = shuffle(plain, element_bytes);
  const int size = static_cast<int>(planes.size());
  std::vector<std::byte> stored(kHeaderBytes + 4 +
                                static_cast<std::size_t>(LZ4_compressBound(size)));
  put_big_endian(stored.data(), planes.size(), 8);
  put_big_endian(stored.data() + 8, planes.size(), 4);
  std::byte* block = stored.data() + kHeaderBytes + 4;
  int packed = LZ4_compress_default(reinterpret_cast<const char*>(planes.data()),
                                    reinterpret_cast<char*>(block), size, LZ4_compressBound(size));
  if (packed >= size || packed == 0) {
    std::memcpy(block, planes.data(), planes.size());
    packed = size;
  }
  put_big_endian(stored.data() + kHeaderBytes, static_cast<std::uint64_t>(packed), 4);
  stored.resize(kHeaderBytes + 4 + static_cast<std::size_t>(packed));
  return stored;
}

bool decode_chunk(std::span<const std::byte> stored, std::span<std::byte> shuffled) {
  if (stored.size() < kHeaderBytes) return false;
  const std::uint64_t block_size = get_big_endian(stored.data() + 8, 4);
  if (get_big_endian(stored.data(), 8) != shuffled.size() || block_size == 0) return false;
  stored = stored.subspan(kHeaderBytes);
  while (!shuffled.empty()) {
    if (stored.size() < 4) return false;
    const std::uint64_t packed = get_big_endian(stored.data(), 4);
    stored = stored.subspan(4);
    const std::size_t plain = std::min<std::uint64_t>(block_size, shuffled.size());
    if (packed > stored.size()) return false;
    if (packed == plain) {
      std::memcpy(shuffled.data(), stored.data(), plain);
    } else if (LZ4_decompress_safe(reinterpret_cast<const char*>(stored.data()),
                                   reinterpret_cast<char*>(shuffled.data()),
                                   static_cast<int>(packed),
                                   static_cast<int>(plain)) != static_cast<int>(plain)) {
      return false;
    }
    stored = stored.subspan(packed);
    shuffled = shuffled.subspan(plain);
  }
  return stored.empty();
}

}  // namespace lacuna::data
