#include "data/nifti/gzip.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <new>

#include <libdeflate.h>

#include "base/error.h"

namespace lacuna::data {
namespace {

static_assert(std::endian::native == std::endian::little, "the gzip trailer is little-endian");

// Deflate cannot do better than this, so a damaged length never makes us ask for more memory.
constexpr std::size_t kLargestRatio = 1032;
constexpr std::size_t kSmallestMember = 18;  // 10 bytes of header and 8 of trailer

struct Decompressor {
  libdeflate_decompressor* value = libdeflate_alloc_decompressor();
  ~Decompressor() { libdeflate_free_decompressor(value); }
};

struct Compressor {
  explicit Compressor(int level) : value(libdeflate_alloc_compressor(level)) {}
  ~Compressor() { libdeflate_free_compressor(value); }
  libdeflate_compressor* value;
};

bool is_gzip(std::span<const std::byte> bytes) {
  return bytes.size() >= 2 && bytes[0] == std::byte{0x1f} && bytes[1] == std::byte{0x8b};
}

void reserve(Buffer& buffer, std::size_t& capacity, std::size_t wanted) {
  if (wanted <= capacity) return;
  auto larger = std::make_unique_for_overwrite<std::byte[]>(wanted);
  if (buffer.size > 0) std::memcpy(larger.get(), buffer.data.get(), buffer.size);
  buffer.data = std::move(larger);
  capacity = wanted;
}

}  // namespace

Buffer gunzip(std::span<const std::byte> file, const Path& name) {
  if (!is_gzip(file)) {
    throw_error<DataError>(
        "{}: not a gzip stream. If it is an uncompressed NIfTI file, name it .nii; otherwise copy "
        "it again.",
        name.string());
  }
  const auto damaged = [&] {
    throw_error<DataError>(
        "{}: truncated or damaged gzip data. Copy or download it again (gzip -t tests a copy).",
        name.string());
  };
  if (file.size() < kSmallestMember) damaged();
  const Decompressor decompressor;
  if (!decompressor.value) throw std::bad_alloc();
  // The trailer states the size of the last member, which nearly always is the only one.
  std::uint32_t stated = 0;
  std::memcpy(&stated, file.data() + file.size() - sizeof stated, sizeof stated);
  const std::size_t limit = file.size() * kLargestRatio + 4096;
  Buffer out;
  std::size_t capacity = 0;
  reserve(out, capacity, std::clamp<std::size_t>(stated, 4096, limit));
  while (is_gzip(file)) {
    std::size_t used = 0, made = 0;
    const auto result =
        libdeflate_gzip_decompress_ex(decompressor.value, file.data(), file.size(),
                                      out.data.get() + out.size, capacity - out.size, &used, &made);
    if (result == LIBDEFLATE_INSUFFICIENT_SPACE && capacity < limit) {
      reserve(out, capacity, std::min(limit, capacity * 2));
      continue;
    }
    if (result != LIBDEFLATE_SUCCESS) damaged();
    out.size += made;
    file = file.subspan(used);
  }
  if (std::any_of(file.begin(), file.end(), [](std::byte each) { return each != std::byte{0}; })) {
    damaged();
  }
  return out;
}

std::vector<std::byte> gzip(std::span<const std::byte> bytes, int level) {
  const Compressor compressor(level);
  if (!compressor.value) throw std::bad_alloc();
  std::vector<std::byte> out(libdeflate_gzip_compress_bound(compressor.value, bytes.size()));
  out.resize(libdeflate_gzip_compress(compressor.value, bytes.data(), bytes.size(), out.data(),
                                      out.size()));
  return out;
}

}  // namespace lacuna::data
