#include "experiments/submissions.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include "base/error.h"
#include "base/files/hash.h"
#include "base/files/json_lines.h"
#include "base/text/options.h"
#include "base/text/parse_json.h"

namespace lacuna::experiments {
namespace {

std::string text_of(const Json& line, const char* key) {
  if (!line.is_object()) return "";
  const auto found = line.find(key);
  return found != line.end() && found->is_string() ? found->get<std::string>() : "";
}

std::vector<std::string> runs_of(const Json& line) {
  std::vector<std::string> runs;
  const Json* list = find_path(line, "runs");
  if (list == nullptr || !list->is_array()) return runs;
  // The index is that of the task, so nothing is left out.
  for (const Json& run : *list) runs.push_back(run.is_string() ? run.get<std::string>() : "");
  return runs;
}

}  // namespace

Submissions::Submissions(const SweepDirectory& directory)
    : file_(directory.submissions_file()), root_(directory.root()) {
  std::istringstream file(read_if_there(file_).value_or(""));
  for (std::string text; std::getline(file, text);) {
    const bool torn = file.eof();  // no line break: a crash while it was written
    const Json line = parse_json_line(text);
    const std::string event = text_of(line, "event"), name = text_of(line, "name");
    if (event.empty() || name.empty()) {
      damaged_ += torn ? 0 : 1;
    } else if (event == "array") {
      all_.push_back({name, "", runs_of(line), line.contains("report")});
      ++count_;
    } else if (Submission* known = named(name); known && event == "submitted") {
      known->job = text_of(line, "job");
    } else if (event == "not_made") {
      std::erase_if(all_, [&](const Submission& each) { return each.name == name; });
    }
  }
}

std::string Submissions::next_name(const std::string& sweep) const {
  return fmt::format("{}-{}-{}", sweep, hash_hex(root_.string()).substr(0, 8), count_ + 1);
}

void Submissions::about_to_submit(const std::string& name, const std::vector<std::string>& runs,
                                  bool report) {
  Json line = {{"event", "array"}, {"name", name}, {"runs", runs}};
  if (report) line["report"] = true;
  append(line);
  all_.push_back({name, "", runs, report});
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

const Submission* Submissions::latest_report() const {
  const auto found =
      std::find_if(all_.rbegin(), all_.rend(), [](const Submission& each) { return each.report; });
  return found == all_.rend() ? nullptr : &*found;
}

void Submissions::append(const Json& line) const {
  Json stamped = line;
  stamped["time"] = utc_text(steady_clock().unix_seconds());
  append_durably(file_, stamped);
}

Submission* Submissions::named(const std::string& name) {
  const auto found = std::find_if(all_.begin(), all_.end(),
                                  [&](const Submission& each) { return each.name == name; });
  return found == all_.end() ? nullptr : &*found;
}

}  // namespace lacuna::experiments
