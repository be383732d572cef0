#include "coordinator/http/endpoint.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files/file_system.h"
#include "base/text/log.h"
#include "base/text/parse_json.h"

namespace lacuna::coordinator {
namespace {

Path place_file(const Path& run_directory) { return run_directory / "coordinator.json"; }
Path token_file(const Path& run_directory) { return run_directory / "coordinator.token"; }

// Not write_durably(): at no moment may the file be readable by others, and a token need not
// outlive a crash.
void write_secret(const Path& path, const std::string& text) {
  const Path partial = path.string() + fmt::format(".{}.partial", ::getpid());
  ::unlink(partial.c_str());  // left behind by a killed process of the same id
  const int file = ::open(partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  bool written = file >= 0;
  // The mode given to open() is cut down by the umask, which may take away the owner's rights.
  written = written && ::fchmod(file, 0600) == 0;
  written = written && ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (file >= 0) written = ::close(file) == 0 && written;
  if (written && ::rename(partial.c_str(), path.c_str()) == 0) return;
  const int code = errno;
  ::unlink(partial.c_str());
  throw_error<DataError>("{}: cannot write the token: {}", path.string(), std::strerror(code));
}

std::string read_text(const Path& path) {
  const auto bytes = posix_file_system().read(path);
  std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

}  // namespace

void write_endpoint(const Path& run_directory, const Endpoint& endpoint) {
  write_secret(token_file(run_directory), endpoint.token + "\n");
  const Json place = {{"address", endpoint.address}, {"port", endpoint.port},
                      {"host", endpoint.host},       {"pid", endpoint.pid},
                      {"run", endpoint.run},         {"metrics", endpoint.metrics}};
  write_durably(posix_file_system(), place_file(run_directory), place.dump(2) + "\n");
}

void remove_endpoint(const Path& run_directory, const Endpoint& endpoint) noexcept {
  try {
    const auto there = read_endpoint(run_directory);
    if (!there || there->token != endpoint.token) return;
    posix_file_system().remove(place_file(run_directory));
    posix_file_system().remove(token_file(run_directory));
  } catch (const std::exception& error) {
    log::warn("{}", error.what());
  }
}

std::optional<Endpoint> read_endpoint(const Path& run_directory) {
  const Path path = place_file(run_directory);
  if (!posix_file_system().exists(path)) return std::nullopt;
  const Json place = read_json(path);
  try {
    return Endpoint{place.at("address"),
                    place.at("port"),
                    place.at("host"),
                    place.at("pid"),
                    place.at("run"),
                    read_text(token_file(run_directory)),
                    field_or<std::string>(place, "metrics", "")};
  } catch (const Json::exception& error) {
    throw_error<DataError>("{}: not written by this version: {}", path.string(), error.what());
  }
}

}  // namespace lacuna::coordinator
