#include "experiments/submissions.h"

#include <algorithm>
#include <fstream>
#include <utility>

#include "base/error.h"
#include "base/hash.h"
#include "base/json_lines.h"

namespace lacuna::experiments {

Submissions::Submissions(const SweepDirectory& directory)
    : file_(directory.submissions_file()), root_(directory.root()) {
  std::ifstream file(file_);
  for (std::string text; std::getline(file, text);) {
    const Json line = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!line.is_object() || !line.contains("event") || !line.contains("name")) continue;
    const std::string name = line["name"];
    if (line["event"] == "array") {
      all_.push_back({name, "", line.value("runs", std::vector<std::string>{})});
      ++count_;
    } else if (Submission* known = named(name); known && line["event"] == "submitted") {
      known->job = line.value("job", "");
    } else if (line["event"] == "not_made") {
      std::erase_if(all_, [&](const Submission& each) { return each.name == name; });
    }
  }
}

std::string Submissions::next_name(const std::string& sweep) const {
  return fmt::format("{}-{}-{}", sweep, hash_hex(root_.string()).substr(0, 8), count_ + 1);
}

void Submissions::about_to_submit(const std::string& name, const std::vector<std::string>& runs) {
  append({{"event", "array"}, {"name", name}, {"runs", runs}});
  all_.push_back({name, "", runs});
  ++count_;
}

void Submissions::submitted(const std::string& name, const std::string& job) {
  append({{"event", "submitted"}, {"name", name}, {"job", job}});
  if (Submission* known = named(name)) known->job = job;
}

void Submissions::settle(slurm::Scheduler& scheduler, bool store) {
  std::vector<std::string> open;
  for (const Submission& each : all_) {
    if (each.job.empty()) open.push_back(each.name);
  }
  for (const std::string& name : open) {
    const std::vector<std::string> found = scheduler.find(name);
    if (!found.empty()) {
      if (store) append({{"event", "submitted"}, {"name", name}, {"job", found.back()}});
      named(name)->job = found.back();
      continue;
    }
    if (store) append({{"event", "not_made"}, {"name", name}});
    std::erase_if(all_, [&](const Submission& each) { return each.name == name; });
  }
}

std::map<std::string, RunTaskId> Submissions::latest() const {
  std::map<std::string, RunTaskId> latest;
  for (const Submission& each : all_) {
    for (std::size_t i = 0; i < each.runs.size(); ++i) {
      latest[each.runs[i]] = {each.job, static_cast<int>(i)};
    }
  }
  return latest;
}

void Submissions::append(const Json& line) const {
  Json stamped = line;
  stamped["time"] = utc_text(steady_clock().unix_seconds());
  JsonLines lines(file_);
  lines.append(stamped);
  lines.sync();
}

Submission* Submissions::named(const std::string& name) {
  const auto found = std::find_if(all_.begin(), all_.end(),
                                  [&](const Submission& each) { return each.name == name; });
  return found == all_.end() ? nullptr : &*found;
}

}  // namespace lacuna::experiments
