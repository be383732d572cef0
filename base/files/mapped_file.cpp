#include "base/files/mapped_file.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

namespace lacuna {

MappedFile::MappedFile(const std::filesystem::path& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) throw_error<DataError>("{}: cannot open: {}.", path.string(), strerror(errno));
  struct stat status {};
  void* start = nullptr;
  if (fstat(file, &status) == 0 && status.st_size > 0) {
    start = mmap(nullptr, static_cast<std::size_t>(status.st_size), PROT_READ, MAP_SHARED, file, 0);
  }
  const int error = errno;
  close(file);
  if (start == MAP_FAILED) {
    throw_error<DataError>("{}: cannot map into memory: {}.", path.string(), strerror(error));
  }
  if (start != nullptr) {
    bytes_ = {static_cast<const std::byte*>(start), static_cast<std::size_t>(status.st_size)};
  }
}

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

}  // namespace lacuna
