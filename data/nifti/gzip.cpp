#include "data/nifti/gzip.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <new>

#include <libdeflate.h>
#include <zlib.h>

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

[[noreturn]] void refuse_damaged(const Path& name) {
  throw_error<DataError>(
      "{}: truncated or damaged gzip data. Copy or download it again (gzip -t tests a copy).",
      name.string());
}

struct Inflater {
  Inflater() {
    // 15 + 32: the largest window, and gzip or zlib as the stream itself says.
    if (inflateInit2(&stream, 15 + 32) != Z_OK) throw std::bad_alloc();
  }
  ~Inflater() { inflateEnd(&stream); }
  z_stream stream{};
};

void reserve(Buffer& buffer, std::size_t& capacity, std::size_t wanted) {
  if (wanted <= capacity) return;
  auto larger = std::make_unique_for_overwrite<std::byte[]>(wanted);
  if (buffer.size > 0) std::memcpy(larger.get(), buffer.data.get(), buffer.size);
  buffer.data = std::move(larger);
  capacity = wanted;
}

}  // namespace

void check_gzip(std::span<const std::byte> file, const Path& name) {
  if (!is_gzip(file)) {
    throw_error<DataError>(
        "{}: not a gzip stream. If it is an uncompressed NIfTI file, name it .nii; otherwise copy "
        "it again.",
        name.string());
  }
}

Buffer inflate_prefix(std::span<const std::byte> file, const Path& name, std::size_t most) {
  Inflater inflater;
  z_stream& stream = inflater.stream;
  Buffer out;
  std::size_t capacity = 0;
  reserve(out, capacity, std::max<std::size_t>(1, std::min(file.size() * 4, most)));
  for (bool ended = false; out.size < most && !ended;) {
    if (out.size == capacity) reserve(out, capacity, std::min(most, capacity * 2));
    constexpr std::size_t kPiece = std::size_t{1} << 30;  // counters of zlib have 32 bits
    const std::size_t input = std::min(file.size(), kPiece),
                      room = std::min(capacity - out.size, kPiece);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(file.data()));
    stream.avail_in = static_cast<uInt>(input);
    stream.next_out = reinterpret_cast<Bytef*>(out.data.get() + out.size);
    stream.avail_out = static_cast<uInt>(room);
    const int result = inflate(&stream, Z_NO_FLUSH);
    const std::size_t used = input - stream.avail_in, made = room - stream.avail_out;
    file = file.subspan(used);
    out.size += made;
    if (result == Z_STREAM_END) {
      ended = !is_gzip(file);  // no further member
      if (!ended) inflateReset(&stream);
    } else if (result != Z_OK || used + made == 0) {
      refuse_damaged(name);
    }
  }
  return out;
}

Buffer gunzip(std::span<const std::byte> file, const Path& name, std::size_t most) {
  check_gzip(file, name);
  const std::span<const std::byte> whole = file;
  const auto damaged = [&] { refuse_damaged(name); };
  if (file.size() < kSmallestMember) damaged();
  const Decompressor decompressor;
  if (!decompressor.value) throw std::bad_alloc();
  // The trailer states the size of the last member, which nearly always is the only one.
  std::uint32_t stated = 0;
  std::memcpy(&stated, file.data() + file.size() - sizeof stated, sizeof stated);
  // A little more than can be used, so that a file with a few bytes behind its voxels is still
  // inflated, and checked, as a whole.
  constexpr std::size_t kSlack = 1 << 16;
  const std::size_t limit =
      std::min(file.size() * kLargestRatio + 4096, most > SIZE_MAX - kSlack ? most : most + kSlack);
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
    if (result == LIBDEFLATE_INSUFFICIENT_SPACE && limit > most) {
      out = {};
      return inflate_prefix(whole, name, most);
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
