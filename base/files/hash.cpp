#include "base/files/hash.h"

#include <fstream>
#include <new>
#include <vector>

#include <xxhash.h>

#include "base/error.h"

namespace lacuna {
namespace {

std::string hex(std::uint64_t value) { return fmt::format("{:016x}", value); }

}  // namespace

struct Hasher::State {
  XXH3_state_t* value = XXH3_createState();
  ~State() { XXH3_freeState(value); }
};

Hasher::Hasher() : state_(std::make_unique<State>()) {
  if (!state_->value) throw std::bad_alloc();
  XXH3_64bits_reset(state_->value);
}
Hasher::~Hasher() = default;

Hasher& Hasher::add(std::span<const std::byte> bytes) {
  XXH3_64bits_update(state_->value, bytes.data(), bytes.size());
  return *this;
}

Hasher& Hasher::add(std::string_view text) { return add(std::as_bytes(std::span(text))); }

std::uint64_t Hasher::digest() const { return XXH3_64bits_digest(state_->value); }

std::string Hasher::hex() const { return lacuna::hex(digest()); }

std::uint64_t hash(std::span<const std::byte> bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

std::string hash_hex(std::span<const std::byte> bytes) { return hex(hash(bytes)); }

std::string hash_hex(std::string_view text) { return hash_hex(std::as_bytes(std::span(text))); }

std::string hash_file_hex(const Path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw_error<DataError>("{}: cannot be opened. Check the path.", path.string());
  Hasher hasher;
  std::vector<char> piece(1 << 20);
  while (file.read(piece.data(), static_cast<std::streamsize>(piece.size())), file.gcount() > 0) {
    hasher.add(std::string_view(piece.data(), static_cast<std::size_t>(file.gcount())));
  }
  if (file.bad()) throw_error<DataError>("{}: cannot be read to its end.", path.string());
  return hasher.hex();
}

}  // namespace lacuna
