// A file mapped into memory for reading. The bytes stay valid while the object lives; reading is
// thread-safe. Throws DataError.
//
// Pages that can no longer be read (the file became shorter, its server or disk failed) would end
// the program by SIGBUS. Here they read as zeros, and lost() says so from then on: who has used
// bytes asks it before believing them.
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
  bool lost() const;  // some page that was read was not there

 private:
  std::span<const std::byte> bytes_;
  int watch_ = -1;  // number of its entry for the signal handler; -1: none was free
};

}  // namespace lacuna
