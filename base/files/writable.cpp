#include "base/files/writable.h"

#include <string>

#include <fmt/format.h>
#include <unistd.h>

namespace lacuna {

void require_writable(FileSystem& files, const Path& directory) {
  files.make_directories(directory);
  const Path probe = directory / fmt::format(".lacuna-{}.probe", ::getpid());
  write_durably(files, probe, std::string("x"));
  files.remove(probe);
}

}  // namespace lacuna
