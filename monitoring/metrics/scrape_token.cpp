#include "monitoring/metrics/scrape_token.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files/file_system.h"
#include "coordinator/http/access.h"

namespace lacuna::monitoring {
namespace {

constexpr std::size_t kShortest = 16;

// Under another name first, so that nobody ever reads half of it; link() takes no place that is
// taken.
void make(const std::filesystem::path& path) {
  const std::string text = coordinator::make_token() + "\n";
  const std::string draft = fmt::format("{}.{}", path.string(), ::getpid());
  const int file = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
  const bool written = file >= 0 && ::fchmod(file, 0640) == 0 &&
                       ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  int failure = written ? 0 : errno;
  if (file >= 0) ::close(file);
  if (written && ::link(draft.c_str(), path.c_str()) != 0 && errno != EEXIST) failure = errno;
  ::unlink(draft.c_str());
  if (failure != 0) {
    throw_error<DataError>("{}: cannot be made: {}. Check the permissions of the directory.",
                           path.string(), std::strerror(failure));
  }
}

}  // namespace

std::string scrape_token(const std::filesystem::path& targets) {
  const std::filesystem::path path = targets / kScrapeTokenFile;
  posix_file_system().make_directories(targets);
  if (!std::filesystem::exists(path)) make(path);
  std::ifstream file(path);
  std::string token;
  if (!(file >> token) || token.size() < kShortest) {
    throw_error<DataError>(
        "{}: holds no token of {} characters or more, or cannot be read. Remove it, or put one "
        "there.",
        path.string(), kShortest);
  }
  return token;
}

}  // namespace lacuna::monitoring
