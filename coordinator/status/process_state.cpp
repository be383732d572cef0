#include "coordinator/status/process_state.h"

#include <fstream>
#include <string>

#include <fmt/format.h>

namespace lacuna::coordinator {

char process_state(long pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string line;
  if (!std::getline(file, line)) return 0;
  // "pid (name) state ...": the name may hold blanks and brackets, so the last one closes it.
  const std::size_t close = line.rfind(") ");
  return close == std::string::npos || close + 2 >= line.size() ? '\0' : line[close + 2];
}

}  // namespace lacuna::coordinator
