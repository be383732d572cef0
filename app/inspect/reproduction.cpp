#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <fmt/ranges.h>

#include "app/inspect/inspect.h"
#include "base/error.h"
#include "base/files/json_lines.h"
#include "base/process/build_info.h"
#include "base/text/parse_json.h"
#include "data/cache/cohort.h"
#include "slurm/quote.h"

namespace lacuna::app {
namespace {

namespace fs = std::filesystem;

// Ranks and threads of every start, in order: sums over other numbers of them round otherwise.
struct Start {
  int ranks = 1, threads = 0;
  bool operator==(const Start&) const = default;
};

std::vector<Start> starts_of(const fs::path& run) {
  std::vector<Start> starts;
  for_each_json_line(run / "events.jsonl", [&](const Json& event) {
    const std::string name = event.value("event", "");
    if (name != "start" && name != "resume") return;
    starts.push_back({event.value("ranks", 1), event.value("threads", 0)});
  });
  return starts;
}

std::string about_cohort(const std::string& cache, const std::string& fingerprint) {
  if (!fs::exists(fs::path(cache) / "cohort.json")) {
    return fmt::format(
        "no cohort at {}: bring it back, or name another place by --set "
        "data.cache=PATH; its fingerprint was {}",
        cache, fingerprint);
  }
  const std::string there = data::open_cohort(cache).fingerprint;
  if (there == fingerprint) return "";
  return fmt::format("the cohort at {} has changed: fingerprint {}, the run's was {}", cache, there,
                     fingerprint);
}

std::vector<std::string> evaluation_command(const Json& summary, const fs::path& again,
                                            const fs::path& directory) {
  std::vector<std::string> words = {"lacuna", "eval", again.string()};
  const auto has = [&](const char* option) {
    return std::find(words.begin(), words.end(), option) != words.end();
  };
  if (summary.contains("arguments")) {
    for (const Json& each : summary.at("arguments")) words.push_back(each.get<std::string>());
  } else {  // of a program that did not write them down
    words.insert(words.end(), {"--hd95", summary.value("hd95_definition", "directed")});
    if (!summary.contains("hd95_definition")) words.push_back("--no-hd95");
    if (summary.value("mirrored", false)) words.push_back("--mirrored");
    if (summary.contains("decode")) words.insert(words.end(), {"--decode", summary.at("decode")});
    std::string scores;
    for (const Json& each : summary.value("scores", Json::array())) {
      scores += (scores.empty() ? "" : ",") + each.get<std::string>();
    }
    if (!scores.empty()) words.insert(words.end(), {"--scores", scores});
  }
  // What was the default then need not be it here.
  if (!has("--split")) words.insert(words.end(), {"--split", summary.at("split")});
  if (!has("--part")) words.insert(words.end(), {"--part", summary.at("part")});
  words.insert(words.end(), {"--out", (again / "eval" / directory.filename()).string()});
  return words;
}

std::vector<fs::path> evaluations(const fs::path& run) {
  std::vector<fs::path> found;
  if (fs::is_directory(run / "eval")) {
    for (const auto& entry : fs::directory_iterator(run / "eval")) {
      if (fs::exists(entry.path() / "summary.json")) found.push_back(entry.path());
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

Json reproduction(const fs::path& path) {
  const fs::path run = path.filename() == "run.json" ? path.parent_path() : path;
  if (!fs::exists(run / "run.json")) {
    throw_error<ConfigError>("{}: --reproduce is for a run directory (it has run.json)",
                             path.string());
  }
  const Json config = read_json(run / "run.json");
  const Json& made = config.at("provenance");
  std::vector<std::string> notes;
  const BuildInfo& here = build_info();
  notes.push_back(fmt::format(
      "{}, run {}: lacuna {} (commit {}), LibTorch {}, {}", config.at("method").get<std::string>(),
      made.at("hash").get<std::string>(), made.value("lacuna", "?"), made.value("commit", "?"),
      made.value("torch", "?"), made.value("compiler", "?")));
  if (made.value("commit", "") != here.commit) {
    notes.push_back(fmt::format("this program is commit {}: for equal bits check out and build {}",
                                here.commit, made.value("commit", "?")));
  }
  const Json& cohort = made.at("cohort");
  const std::string cache = config.at("data").value("cache", "");
  const std::string about = about_cohort(cache, cohort.at("fingerprint").get<std::string>());
  if (!about.empty()) notes.push_back(about);

  std::vector<Start> starts = starts_of(run);
  if (starts.empty()) starts.push_back({1, made.value("threads", 0)});
  if (std::any_of(starts.begin(), starts.end(), [&](const Start& s) { return s != starts[0]; })) {
    notes.emplace_back(
        "later starts had other numbers of ranks or threads: equal to rounding only");
  }
  fs::path again = run;
  if (!again.has_filename()) again = again.parent_path();
  again += "-again";
  std::vector<std::string> train = {"lacuna", "train", (run / "run.json").string(), "--out",
                                    again.string()};
  if (starts[0].ranks > 1) {
    train.insert(train.end(), {"--ranks", std::to_string(starts[0].ranks)});
  }
  if (starts[0].threads > 0 && config.at("train").value("threads", 0) == 0) {
    train.insert(train.end(), {"--set", fmt::format("train.threads={}", starts[0].threads)});
  }
  Json commands = Json::array({slurm::bash_line(train)});
  for (const fs::path& each : evaluations(run)) {
    try {
      const Json summary = read_json(each / "summary.json");
      commands.push_back(slurm::bash_line(evaluation_command(summary, again, each)));
    } catch (const Json::exception& error) {
      notes.push_back(
          fmt::format("{}: left out: {}", (each / "summary.json").string(), error.what()));
    }
  }
  return {{"commands", commands}, {"notes", notes}};
}

}  // namespace lacuna::app
