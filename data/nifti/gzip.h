// gzip by whole buffers with libdeflate, which inflates two to three times faster than zlib; the
// beginning of a stream, and streams of unknown length, with zlib.
// Pure functions, thread-safe.
#pragma once

#include <cstddef>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "base/files/file_system.h"

namespace lacuna::data {

// Bytes that were never zeroed: a volume is written once, by what fills it.
struct Buffer {
  std::unique_ptr<std::byte[]> data;
  std::size_t size = 0;

  std::span<const std::byte> bytes() const { return {data.get(), size}; }
};

// Inflates every member of a gzip file, one behind the other. `name` opens the messages. Throws
// DataError when it is not gzip, damaged, cut off, or followed by other bytes (zeros may follow).
// `most`: what the caller can use. A stream that holds more is cut there, unchecked beyond, and
// takes no more memory.
Buffer gunzip(std::span<const std::byte> file, const Path& name,
              std::size_t most = std::numeric_limits<std::size_t>::max());

// Throws DataError when the file is not gzip.
void check_gzip(std::span<const std::byte> file, const Path& name);

// The first `most` bytes of a gzip or (MetaImage) zlib stream, or all of it.
Buffer inflate_prefix(std::span<const std::byte> file, const Path& name, std::size_t most);

// One member. The same input and level give the same bytes. Levels as gzip: 1 fast, 6 usual.
std::vector<std::byte> gzip(std::span<const std::byte> bytes, int level);

}  // namespace lacuna::data
