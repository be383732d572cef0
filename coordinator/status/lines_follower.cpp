#include "coordinator/status/lines_follower.h"

#include <algorithm>
#include <fstream>
#include <system_error>

namespace lacuna::coordinator {
namespace {

constexpr std::size_t kBlock = 1024 * 1024;
constexpr std::size_t kRemembered = 256;  // bytes: a line's step, loss and time do not repeat

std::uintmax_t size_of(const std::filesystem::path& path) {
  std::error_code missing;
  const std::uintmax_t size = std::filesystem::file_size(path, missing);
  return missing ? 0 : size;
}

}  // namespace

std::uintmax_t LinesFollower::unread() const {
  const std::uintmax_t size = size_of(path_);
  return size > offset_ ? size - offset_ : 0;
}

bool LinesFollower::read(const Visit& visit) {
  const std::uintmax_t size = size_of(path_);
  if (size < offset_) return false;
  if (size == offset_) return true;
  std::ifstream file(path_, std::ios::binary);
  std::string before(last_.size(), '\0');
  file.seekg(static_cast<std::streamoff>(offset_ - last_.size()));
  file.read(before.data(), static_cast<std::streamsize>(before.size()));
  if (!file || before != last_) return false;
  std::string text, block(kBlock, '\0');
  while (file && offset_ + text.size() < size) {
    file.read(block.data(), static_cast<std::streamsize>(block.size()));
    text.append(block, 0, static_cast<std::size_t>(file.gcount()));
    std::size_t begin = 0;
    for (std::size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
      const std::uintmax_t after = offset_ + end + 1;
      visit(std::string_view(text).substr(begin, end - begin), size > after ? size - after : 0);
    }
    if (begin > 0) {
      const std::size_t kept = std::min(begin, kRemembered);
      last_ = text.substr(begin - kept, kept);
    }
    offset_ += begin;
    text.erase(0, begin);
  }
  return true;
}

}  // namespace lacuna::coordinator
