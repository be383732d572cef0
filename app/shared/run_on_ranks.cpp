#include "app/shared/run_on_ranks.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <unistd.h>

#include "app/shared/tell_exception.h"
#include "base/text/log.h"
#include "comm/mpi.h"
#include "comm/solo.h"
#include "coordinator/supervisor/launcher.h"

namespace lacuna::app {
namespace {

[[noreturn]] void become_launcher(int ranks, const std::vector<std::string>& arguments) {
  coordinator::LaunchRequest request;
  request.ranks = ranks;
  request.program = {std::filesystem::read_symlink("/proc/self/exe").string()};
  request.program.insert(request.program.end(), arguments.begin(), arguments.end());
  const coordinator::LaunchPlan plan =
      coordinator::plan_launch(request, coordinator::gather_launch_facts());
  if (!plan.warning.empty()) log::warn("{}", plan.warning);
  for (const auto& [name, value] : plan.environment) setenv(name.c_str(), value.c_str(), 1);
  std::vector<char*> words;
  for (const std::string& word : plan.command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  execvp(words.front(), words.data());
  throw_error<Error>("{} cannot be started. Install Open MPI, or use --ranks 1.",
                     plan.command.front());
}

}  // namespace

ExitCode run_on_ranks(int ranks, const std::vector<std::string>& arguments,
                      const std::function<ExitCode(std::unique_ptr<comm::Communicator>)>& work) {
  if (!comm::launched_as_rank()) {
    if (ranks > 1) become_launcher(ranks, arguments);
    return work(comm::make_solo());
  }
  coordinator::end_with_launcher();
  comm::MpiSession mpi;
  try {
    return work(mpi.world());
  } catch (...) {
    comm::MpiSession::abandon(static_cast<int>(tell_exception().code));
  }
}

std::vector<std::string> own_arguments() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::vector<std::string> words;
  for (std::string word; std::getline(file, word, '\0');) words.push_back(word);
  if (!words.empty()) words.erase(words.begin());
  return words;
}

}  // namespace lacuna::app
