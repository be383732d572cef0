#include "worker/run/seen_cases.h"

#include "base/error.h"
#include "base/text/log.h"

namespace lacuna::worker {
namespace {

constexpr const char* kSeenCasesFile = "cases.json";
constexpr const char* kSeenParts[] = {"train", "meta", "validation", "init"};

Json list_of_cases(const data::Cohort& cohort, const std::vector<int>& indices) {
  Json list = Json::array();
  for (const int index : indices) {
    const data::CaseInfo& info = cohort.cases[static_cast<std::size_t>(index)];
    list.push_back({{"id", info.id}, {"patient", info.patient}});
  }
  return list;
}

// The list of the run that a path of weights or a checkpoint lies in.
std::filesystem::path seen_list_near(std::filesystem::path path) {
  constexpr int kLevels = 4;  // <run>/checkpoints/step-N/model.safetensors
  for (int level = 0; level < kLevels && !path.empty(); ++level) {
    if (std::filesystem::exists(path / kSeenCasesFile)) return path / kSeenCasesFile;
    if (path == path.parent_path()) break;
    path = path.parent_path();
  }
  return {};
}

}  // namespace

Json describe_seen_cases(const RunConfig& config, const data::Cohort& cohort,
                         const std::vector<int>& validation) {
  Json parts = Json::object();
  for (const char* part : {"train", "meta"}) {
    if (cohort.has_part(config.split, part)) {
      parts[part] = list_of_cases(cohort, cohort.part(config.split, part));
    }
  }
  parts["validation"] = list_of_cases(cohort, validation);
  // What the weights have seen before: all parts of that run, and of the one before it.
  if (const auto before = seen_list_near(config.init_weights); !before.empty()) {
    Json init = Json::array();
    const Json earlier = read_json(before);
    for (const auto& [part, list] : earlier.at("parts").items()) {
      for (const Json& item : list) init.push_back(item);
    }
    parts["init"] = init;
  }
  return {{"format", "lacuna-cases"},  {"version", 1},   {"split", config.split},
          {"profile", cohort.profile}, {"parts", parts}, {"fingerprint", cohort.fingerprint}};
}

SeenCases read_seen_cases(const std::filesystem::path& checkpoint, const RunConfig& config,
                          const data::Cohort& cohort) {
  SeenCases seen;
  const auto add = [&](const std::string& id, const std::string& patient, const char* part) {
    seen.cases.try_emplace(id, part);
    seen.patients.try_emplace(patient, part);
  };
  const auto path = checkpoint.parent_path().parent_path() / kSeenCasesFile;
  if (std::filesystem::exists(path)) {
    const Json parts = read_json(path);
    try {
      for (const char* part : kSeenParts) {
        for (const Json& item : parts.at("parts").value(part, Json::array())) {
          add(item.at("id"), item.at("patient"), part);
        }
      }
    } catch (const Json::exception& error) {
      throw_error<DataError>("{}: damaged: {}. It says what the run was trained on.", path.string(),
                             error.what());
    }
    seen.known = true;
    return seen;
  }
  seen.exact = false;
  const Json state = read_json(checkpoint / "state.json");
  const Json fingerprint = state.value("cohort", Json::object()).value("fingerprint", Json());
  seen.known = fingerprint == cohort.fingerprint && cohort.splits.count(config.split) > 0;
  if (!seen.known) return seen;
  for (const char* part : {"train", "meta", "validation"}) {
    if (!cohort.has_part(config.split, part)) continue;
    for (const int index : cohort.part(config.split, part)) {
      const data::CaseInfo& info = cohort.cases[static_cast<std::size_t>(index)];
      add(info.id, info.id, part);  // its folds may have been dealt before patients were known
    }
  }
  return seen;
}

int Contact::count() const {
  int all = 0;
  for (const auto& [part, count] : cases) all += count;
  for (const auto& [part, count] : patients) all += count;
  return all;
}

std::string Contact::note(std::size_t scored) const {
  static const std::map<std::string, const char*> kWords = {
      {"train", "trained the network"},
      {"validation", "chose the checkpoint"},
      {"meta", "were used for learning importance weights"},
      {"init", "trained the network that this one began from"}};
  std::string text;
  for (const auto& [part, count] : cases) {
    text += fmt::format("{}{} of {} cases {}", text.empty() ? "" : ", ", count, scored,
                        kWords.at(part));
  }
  int visits = 0;
  for (const auto& [part, count] : patients) visits += count;
  if (visits > 0) {
    text += fmt::format("{}{} of {} cases are other visits of patients that were used in training",
                        text.empty() ? "" : ", ", visits, scored);
  }
  return text.empty() ? "" : "Not a test result: " + text + ".";
}

Contact find_contact(const SeenCases& seen, const data::Cohort& cohort,
                     const std::vector<int>& scored) {
  Contact contact;
  for (const int index : scored) {
    const data::CaseInfo& info = cohort.cases[static_cast<std::size_t>(index)];
    const auto one = seen.cases.find(info.id);
    const auto patient = seen.patients.find(info.patient);
    if (one != seen.cases.end()) {
      ++contact.cases[one->second];
      contact.examples.push_back(fmt::format("{} ({})", info.id, one->second));
    } else if (patient != seen.patients.end()) {
      ++contact.patients[patient->second];
      contact.examples.push_back(
          fmt::format("{} (another visit of its patient: {})", info.id, patient->second));
    }
  }
  return contact;
}

}  // namespace lacuna::worker
