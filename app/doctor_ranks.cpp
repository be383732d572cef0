#include "app/doctor_ranks.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <numeric>
#include <optional>
#include <set>
#include <sstream>

#include <fmt/core.h>
#include <unistd.h>

#include "base/child_process.h"
#include "base/json.h"
#include "base/log.h"
#include "comm/mpi.h"
#include "coordinator/launcher.h"
#include "coordinator/leftovers.h"
#include "coordinator/rank_report.h"

namespace lacuna::app {
namespace {

using monitoring::RankFacts;

constexpr std::size_t kFloats = 16'000'000;  // 64 MB: the gradients of a network of 16 M parameters
constexpr int kRepeats = 5;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Whole numbers below 2^24, whose sum is exact in any order.
void fill(std::vector<float>& values, int rank) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(i % 1009 + static_cast<std::size_t>(rank));
  }
}

bool is_sum(const std::vector<float>& values, int ranks) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto n = static_cast<std::size_t>(ranks);
    if (values[i] != static_cast<float>(n * (i % 1009) + n * (n - 1) / 2)) return false;
  }
  return true;
}

int count_hosts(comm::Communicator& ranks, comm::Seconds deadline) {
  char name[256] = "";
  ::gethostname(name, sizeof name - 1);
  const std::string mine = name;
  std::vector<std::vector<std::byte>> all;
  if (!ranks.gather_all(std::as_bytes(std::span(mine)), all, deadline).ok()) return 0;
  return static_cast<int>(std::set<std::vector<std::byte>>(all.begin(), all.end()).size());
}

double copy_bandwidth() {
  std::vector<float> from(kFloats, 1), to(kFloats);
  double best = 1e9;
  for (int i = 0; i < 3; ++i) {
    const double start = now();
    std::memcpy(to.data(), from.data(), kFloats * sizeof(float));
    best = std::min(best, now() - start);
    from[0] += to[kFloats - 1];  // the copy is needed
  }
  return kFloats * sizeof(float) / best;
}

// The line that rank 0 printed, among whatever else did.
std::optional<Json> find_answer(const std::string& output) {
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
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
  coordinator::end_with_launcher();
  const comm::Seconds deadline(deadline_seconds);
  comm::MpiSession mpi;
  const auto world = mpi.world();
  const int hosts = count_hosts(*world, deadline);
  std::vector<float> values(kFloats);
  std::vector<std::int64_t> nanoseconds;
  // The first one connects the ranks and is not timed. Every one is checked.
  for (int i = 0; i <= kRepeats; ++i) {
    fill(values, world->rank());
    if (!world->barrier(deadline).ok()) comm::MpiSession::abandon(76);
    const double start = now();
    if (!world->sum(values)->wait(deadline).ok()) comm::MpiSession::abandon(76);
    std::vector<std::int64_t> took{static_cast<std::int64_t>(1e9 * (now() - start))};
    if (!world->maximum(took)->wait(deadline).ok()) comm::MpiSession::abandon(76);
    if (i > 0) nanoseconds.push_back(took[0]);
    if (!is_sum(values, world->size())) {
      log::error(
          "rank {}: the sum over ranks is wrong: do not train here. Try "
          "OMPI_MCA_btl_vader_single_copy_mechanism=none, or another network.",
          world->rank());
      comm::MpiSession::abandon(1);
    }
  }
  std::sort(nanoseconds.begin(), nanoseconds.end());
  if (world->rank() == 0) {
    const Json answer = {{"ranks", world->size()},
                         {"hosts", hosts},
                         {"bytes", kFloats * sizeof(float)},
                         {"seconds", 1e-9 * static_cast<double>(nanoseconds[kRepeats / 2])}};
    fmt::print("{}\n", answer.dump());
    std::fflush(stdout);
  }
  return ExitCode::kDone;
}

}  // namespace lacuna::app
