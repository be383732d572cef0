// XXH3-64, for checksums and fingerprints: fast, not cryptographic. Written in files as 16
// lower-case hex digits, most significant first. Pure functions, thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/files/file_system.h"

namespace lacuna {

// For data that comes in pieces: the digest depends on the bytes alone, not on the pieces.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher& add(std::span<const std::byte> bytes);
  Hasher& add(std::string_view text);
  std::uint64_t digest() const;
  std::string hex() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::uint64_t hash(std::span<const std::byte> bytes);
std::string hash_hex(std::span<const std::byte> bytes);
std::string hash_hex(std::string_view text);
// Reads in pieces, so memory does not grow with the file. Throws DataError.
std::string hash_file_hex(const Path& path);

}  // namespace lacuna
