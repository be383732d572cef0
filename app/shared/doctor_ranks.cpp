#include "app/shared/doctor_ranks.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <optional>
#include <set>
#include <sstream>

#include <fmt/core.h>
#include <unistd.h>

#include "app/shared/run_on_ranks.h"
#include "base/process/child_process.h"
#include "base/process/clock.h"
#include "base/process/host.h"
#include "base/text/parse_json.h"
#include "comm/all_reduce_benchmark.h"
#include "comm/gather_texts.h"
#include "coordinator/supervisor/launcher.h"
#include "coordinator/supervisor/leftovers.h"
#include "coordinator/supervisor/rank_report.h"

namespace lacuna::app {
namespace {

using monitoring::RankFacts;

constexpr std::size_t kBytes = 64'000'000;  // the gradients of a network of 16 M parameters
constexpr int kRepeats = 5;

double copy_bandwidth() {
  std::vector<char> from(kBytes, 1), to(kBytes);
  double best = 1e9;
  for (int i = 0; i < 3; ++i) {
    const double start = steady_clock().seconds();
    std::memcpy(to.data(), from.data(), kBytes);
    best = std::min(best, steady_clock().seconds() - start);
    from[0] = static_cast<char>(from[0] + to[kBytes - 1]);  // the copy is needed
  }
  return static_cast<double>(kBytes) / best;
}

// The line that rank 0 printed, among whatever else did.
std::optional<Json> find_answer(const std::string& output) {
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    const Json json = parse_json_line(line);
    if (json.is_object() && json.contains("seconds")) return json;
  }
  return std::nullopt;
}

void explain_failure(RankFacts& facts, const CommandResult& result, double deadline) {
  const auto report = coordinator::find_rank_report(result.error);
  if (!result.code || *result.code == static_cast<int>(ExitCode::kPeerLost)) {
    facts.problem = fmt::format("no answer within {:.0f} s: the ranks hang", deadline);
    facts.remedy =
        "On one host unset OMPI_MCA_* and try again. Between hosts name the network in "
        "OMPI_MCA_btl_tcp_if_include and OMPI_MCA_oob_tcp_if_include, and look for a firewall.";
    return;
  }
  facts.problem = fmt::format("{} ended with exit code {}", facts.launcher, *result.code);
  if (report) facts.problem += ": " + coordinator::describe(*report);
  facts.remedy = result.error.empty() ? "Run it with LACUNA_LOG=debug."
                                      : "It said: " + result.error.substr(0, 2000);
}

RankFacts probe(int ranks, const std::string& launcher, double deadline, double copy_speed) {
  RankFacts facts;
  facts.ranks = ranks;
  facts.copy_bytes_per_second = copy_speed;
  const std::string id = fmt::format("doctor{}", ::getpid());
  const coordinator::SharedScratch scratch(id);
  try {
    const coordinator::LaunchFacts machine = coordinator::gather_launch_facts();
    facts.cores = machine.cores;
    coordinator::LaunchRequest request;
    request.launcher = coordinator::launcher_named(launcher);
    request.ranks = ranks;
    request.program = {std::filesystem::read_symlink("/proc/self/exe").string(),
                       "doctor",
                       "--ranks",
                       std::to_string(ranks),
                       "--deadline",
                       std::to_string(deadline)};
    request.environment = {{coordinator::kRunIdVariable, id}};
    request.scratch = scratch.path();
    const coordinator::LaunchPlan plan = coordinator::plan_launch(request, machine);
    facts.launcher = plan.launcher;
    const CommandResult result = run_command({plan.command, plan.environment}, deadline);
    coordinator::end_processes_of(id, 5);
    const auto answer = find_answer(result.output);
    if (result.code != 0 || !answer) {
      explain_failure(facts, result, deadline);
      return facts;
    }
    facts.hosts = answer->at("hosts");
    facts.bytes = answer->at("bytes");
    facts.seconds = answer->at("seconds");
  } catch (const Error& error) {
    facts.problem = error.what();
    facts.remedy = "Until then train with --ranks 1.";
  }
  return facts;
}

}  // namespace

std::vector<monitoring::Finding> probe_ranks(int ranks, const std::string& launcher,
                                             double deadline_seconds) {
  std::vector<int> numbers;
  for (int n = 2; n < ranks; n *= 2) numbers.push_back(n);
  numbers.push_back(ranks);
  const double copy_speed = copy_bandwidth();
  std::vector<monitoring::Finding> findings;
  for (const int n : numbers) {
    const RankFacts facts = probe(n, launcher, deadline_seconds, copy_speed);
    findings.push_back(monitoring::judge_ranks(facts));
    if (!facts.problem.empty()) break;
  }
  return findings;
}

ExitCode measure_as_rank(double deadline_seconds) {
  return run_on_ranks(1, {}, [&](std::unique_ptr<comm::Communicator> world) {
    const comm::AllReduceSettings settings{
        .warm_up = 1, .iterations = kRepeats, .deadline = comm::Seconds(deadline_seconds)};
    const auto require = [](const comm::CommResult& result) {
      if (!result.ok()) throw Error(result.text, ExitCode::kPeerLost);
    };
    std::vector<std::string> hosts;
    require(comm::gather_texts(*world, host_name(), hosts, settings.deadline));
    comm::AllReduceTiming timing;
    require(comm::time_all_reduce(*world, kBytes, settings, timing));
    if (timing.wrong > 0) {
      throw_error<Error>(
          "{} elements of the sum over ranks are wrong: do not train here. Try "
          "OMPI_MCA_btl_vader_single_copy_mechanism=none, or another network.",
          timing.wrong);
    }
    if (world->rank() == 0) {
      const Json answer = {{"ranks", world->size()},
                           {"hosts", std::set<std::string>(hosts.begin(), hosts.end()).size()},
                           {"bytes", timing.bytes},
                           {"seconds", timing.seconds}};
      fmt::print("{}\n", answer.dump());
      std::fflush(stdout);
    }
    return ExitCode::kDone;
  });
}

}  // namespace lacuna::app
