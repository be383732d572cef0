#include "comm/local_peers.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

namespace lacuna::comm {
namespace {

namespace fs = std::filesystem;

// Variables by which a process tells its rank, and which start it belongs to: of PMIx, which
// mpirun and srun have in common.
constexpr const char* kRank = "PMIX_RANK";
constexpr const char* kStart = "PMIX_NAMESPACE";

int number(const char* name, int otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr || *value == '\0' ? otherwise : std::atoi(value);
}

struct Peer {
  long pid = 0;
  char state = '?';
};

std::map<std::string, std::string> environment_of(const fs::path& process) {
  std::ifstream file(process / "environ", std::ios::binary);
  std::map<std::string, std::string> found;
  for (std::string entry; std::getline(file, entry, '\0');) {
    const std::size_t equals = entry.find('=');
    if (equals != std::string::npos) found[entry.substr(0, equals)] = entry.substr(equals + 1);
  }
  return found;
}

char state_of(const fs::path& process) {
  std::ifstream file(process / "stat");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::size_t name = text.rfind(')');  // a name may hold anything
  return name == std::string::npos || name + 2 >= text.size() ? '?' : text[name + 2];
}

std::map<int, Peer> find_peers() {
  std::map<int, Peer> peers;
  const char* start = std::getenv(kStart);
  if (start == nullptr) return peers;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
    const long pid = std::atol(entry.path().filename().c_str());
    if (pid <= 0 || pid == ::getpid()) continue;
    const auto environment = environment_of(entry.path());
    const auto namespace_of = environment.find(kStart), rank = environment.find(kRank);
    if (namespace_of == environment.end() || rank == environment.end()) continue;
    if (namespace_of->second != start || std::atoi(rank->second.c_str()) == launched_rank())
      continue;
    peers[std::atoi(rank->second.c_str())] = {pid, state_of(entry.path())};
  }
  return peers;
}

std::string meaning(char state) {
  switch (state) {
    case 'T':
    case 't':
      return fmt::format("is stopped (state {})", state);
    case 'D':
      return "waits for a disk (state D)";
    case 'Z':
    case 'X':
      return fmt::format("has ended (state {})", state);
    default:
      return "";
  }
}

}  // namespace

int launched_rank() { return number("OMPI_COMM_WORLD_RANK", number(kRank, -1)); }

int launched_size() { return number("OMPI_COMM_WORLD_SIZE", number("SLURM_STEP_NUM_TASKS", 0)); }

std::string describe_local_peers() {
  const std::map<int, Peer> peers = find_peers();
  const int size = launched_size(), here = number("OMPI_COMM_WORLD_LOCAL_SIZE", 0);
  std::vector<std::string> suspects;
  std::vector<int> well;
  for (const auto& [rank, peer] : peers) {
    const std::string what = meaning(peer.state);
    if (what.empty()) {
      well.push_back(rank);
    } else {
      suspects.push_back(fmt::format("rank {} (pid {}) {}", rank, peer.pid, what));
    }
  }
  for (int rank = 0; size > 0 && here == size && rank < size; ++rank) {  // all are on this host
    if (rank != launched_rank() && !peers.contains(rank)) {
      suspects.push_back(fmt::format("rank {} has no process", rank));
    }
  }
  if (!suspects.empty()) return fmt::format("{}", fmt::join(suspects, "; "));
  if (well.empty()) return "the others are on other hosts: look at their logs";
  return fmt::format("ranks {} run on this host too; look at their logs, and at other hosts",
                     fmt::join(well, ", "));
}

}  // namespace lacuna::comm
