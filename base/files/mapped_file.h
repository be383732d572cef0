// A file mapped into memory for reading. The bytes stay valid while the object lives; reading is
// thread-safe. Throws DataError.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace lacuna {

class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;

  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace lacuna
