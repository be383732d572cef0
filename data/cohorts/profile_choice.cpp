#include "data/cohorts/profile_choice.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <set>
#include <thread>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/process/parallel.h"
#include "base/text/json.h"
#include "data/cohorts/nnunet_dataset.h"
#include "data/nifti/nifti.h"

namespace lacuna::data {
namespace {

// Labels that are looked at when the candidates agree on what values mean: a value that only the
// larger scheme has may be missed, and is then found when its case is read.
constexpr std::size_t kSample = 48;

struct Candidate {
  const Profile* profile = nullptr;
  std::vector<SourceCase> cases;
  std::set<std::filesystem::path> places;  // of the cases, to compare candidates

  int wrong_values(const std::set<int>& values) const {
    return static_cast<int>(std::count_if(values.begin(), values.end(), [&](int value) {
      return !profile->tissue(static_cast<std::uint8_t>(value));
    }));
  }
};

Candidate see(const SourceTree& tree, const Profile& profile) {
  Candidate candidate;
  candidate.profile = profile.dataset_file.empty() ? &profile : &profile_of_dataset(tree, profile);
  candidate.cases = match_cases(tree, *candidate.profile);
  for (const SourceCase& found : candidate.cases) {
    candidate.places.insert(found.directory / found.name.id);
  }
  return candidate;
}

// Two profiles read these values in the same way. No values: all that either of them has.
bool agree(const Profile& a, const Profile& b, const std::set<int>& values) {
  for (int value = 1; value < 256; ++value) {
    const auto here = a.tissue(static_cast<std::uint8_t>(value));
    const auto there = b.tissue(static_cast<std::uint8_t>(value));
    if (!values.empty() ? values.count(value) == 0 : !here || !there) continue;
    if (here != there) return false;
  }
  return true;
}

bool all_agree(const std::vector<Candidate>& candidates, const std::set<int>& values) {
  return std::all_of(candidates.begin(), candidates.end(), [&](const Candidate& other) {
    return agree(*candidates[0].profile, *other.profile, values);
  });
}

std::vector<std::filesystem::path> labels_of(const Candidate& candidate) {
  std::vector<std::filesystem::path> labels;
  for (const SourceCase& found : candidate.cases) {
    if (!found.label.empty() && found.problem.empty()) labels.push_back(found.label);
  }
  return labels;
}

// Values other than 0. Stops as soon as they leave one candidate.
std::set<int> values_in(std::vector<std::filesystem::path> labels,
                        const std::vector<Candidate>& candidates) {
  if (all_agree(candidates, {}) && labels.size() > kSample) {
    std::vector<std::filesystem::path> spread;
    for (std::size_t i = 0; i < kSample; ++i) spread.push_back(labels[i * labels.size() / kSample]);
    labels = std::move(spread);
  }
  std::set<int> values;
  std::mutex mutex;
  std::atomic<bool> settled = false;
  const int threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  parallel_for(threads, static_cast<std::int64_t>(labels.size()), [&](std::int64_t i) {
    if (settled) return;
    std::set<int> here;
    try {
      const NiftiFile file(labels[static_cast<std::size_t>(i)]);
      std::array<bool, 256> seen{};
      for (const std::uint8_t value : file.read<std::uint8_t>()) seen[value] = true;
      for (int value = 1; value < 256; ++value) {
        if (seen[static_cast<std::size_t>(value)]) here.insert(value);
      }
    } catch (const DataError&) {
      return;  // damaged, or no labels: told when the case is read
    }
    const std::lock_guard lock(mutex);
    values.insert(here.begin(), here.end());
    settled = std::count_if(candidates.begin(), candidates.end(), [&](const Candidate& one) {
                return one.wrong_values(values) == 0;
              }) <= 1;
  });
  return values;
}

// The profile that a phantom cohort says it was written by; "" for anything else.
std::string phantom_profile(const SourceTree& tree) {
  const auto path = tree.file_in(tree.directories().front(), "phantom.json");
  if (path.empty()) return "";
  try {
    return read_json(path).value("profile", "");
  } catch (const std::exception&) {
    return "";
  }
}

bool hinted(const Candidate& candidate, const std::filesystem::path& where,
            const std::string& phantom) {
  if (candidate.profile->name == phantom) return true;
  std::string text = std::filesystem::absolute(where).string();
  if (!candidate.cases.empty()) text += "\n" + candidate.cases[0].directory.string();
  return std::any_of(
      candidate.profile->hints.begin(), candidate.profile->hints.end(),
      [&](const std::string& hint) { return std::regex_search(text, std::regex(hint)); });
}

std::string shown(const Candidate& candidate) {
  std::vector<std::string> values;
  for (const LabelValue& label : candidate.profile->labels) {
    static const char* const kNames[] = {"background", "necrosis", "oedema", "enhancing",
                                         "resection",  "cyst",     "tumour"};
    values.push_back(
        fmt::format("{} {}", label.value, kNames[static_cast<std::size_t>(label.tissue)]));
  }
  return fmt::format("{} ({})", candidate.profile->name, fmt::join(values, ", "));
}

template <typename Keep>
void keep_if_any(std::vector<Candidate>& candidates, Keep keep) {
  if (std::none_of(candidates.begin(), candidates.end(), keep)) return;
  std::erase_if(candidates, [&](const Candidate& one) { return !keep(one); });
}

[[noreturn]] void refuse_unknown(const SourceTree& tree, const std::filesystem::path& where) {
  std::vector<std::string> known;
  for (const Profile& profile : all_profiles()) {
    if (profile.automatic) known.push_back(profile.name);
  }
  throw_error<DataError>(
      "{}: no directory is named like a case of a known data set; known: {}. There is, for "
      "example, {}. Check --in, name the scheme with --profile, or describe your own in a file: "
      "--profile my.json.",
      where.string(), fmt::join(known, ", "), tree.images().begin()->second.path.string());
}

// Forms that any data may have overlap: the one that sees most cases is meant, and directories say
// more than loose files.
void keep_likeliest_form(std::vector<Candidate>& candidates) {
  const auto rank = [](const Candidate& one) {
    return std::pair(one.places.size(), !one.profile->unit_is_file);
  };
  const Candidate& best =
      *std::max_element(candidates.begin(), candidates.end(),
                        [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  const auto most = rank(best);
  const auto places = best.places;
  std::erase_if(candidates,
                [&](const Candidate& one) { return rank(one) != most || one.places != places; });
}

// What has cases that no other candidate sees whole: data sets side by side.
void require_one_data_set(std::vector<Candidate>& candidates, const std::filesystem::path& where) {
  const auto most = std::max_element(
      candidates.begin(), candidates.end(),
      [](const auto& a, const auto& b) { return a.places.size() < b.places.size(); });
  const std::set<std::filesystem::path> whole = most->places;
  std::vector<std::string> found;
  std::set<std::filesystem::path> told;
  for (const Candidate& one : candidates) {
    if (std::includes(whole.begin(), whole.end(), one.places.begin(), one.places.end()) &&
        &one != &*most) {
      continue;
    }
    if (std::includes(told.begin(), told.end(), one.places.begin(), one.places.end())) continue;
    told.insert(one.places.begin(), one.places.end());
    found.push_back(fmt::format("{} of {} ({})", one.places.size(), one.profile->name,
                                one.cases.front().name.id));
  }
  if (found.size() > 1) {
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
      return a.substr(a.find(" of ")) < b.substr(b.find(" of "));
    });
    throw_error<DataError>(
        "{}: holds cases of several data sets: {}. Ingest them one by one, or choose with "
        "--profile.",
        where.string(), fmt::join(found, ", "));
  }
  std::erase_if(candidates, [&](const Candidate& one) { return one.places != whole; });
}

}  // namespace

ProfileChoice choose_profile(const SourceTree& tree, const std::filesystem::path& where,
                             const std::string& preferred) {
  std::vector<Candidate> candidates;
  for (const bool generic : {false, true}) {
    for (const Profile& profile : all_profiles()) {
      if (!profile.automatic || profile.generic != generic) continue;
      Candidate candidate = see(tree, profile);
      if (!candidate.cases.empty()) candidates.push_back(std::move(candidate));
    }
    if (!candidates.empty()) break;
  }
  if (candidates.empty()) refuse_unknown(tree, where);
  if (candidates.front().profile->generic) keep_likeliest_form(candidates);
  require_one_data_set(candidates, where);

  std::string reason;
  const std::string phantom = phantom_profile(tree);
  if (candidates.size() > 1) {
    const auto labels = labels_of(candidates[0]);
    const std::set<int> values = values_in(labels, candidates);
    const std::size_t before = candidates.size();
    int fewest = candidates[0].wrong_values(values);
    for (const Candidate& one : candidates) fewest = std::min(fewest, one.wrong_values(values));
    std::erase_if(candidates,
                  [&](const Candidate& one) { return one.wrong_values(values) > fewest; });
    if (candidates.size() < before) {
      reason = fmt::format("; label values {}", fmt::join(values, ", "));
    }
    const std::size_t by_values = candidates.size();
    if (candidates.size() > 1) {
      keep_if_any(candidates, [&](const Candidate& one) { return hinted(one, where, phantom); });
      if (candidates.size() < by_values) reason += "; the name of its folder";
    }
    if (!all_agree(candidates, values)) {
      std::vector<std::string> names;
      for (const Candidate& one : candidates) names.push_back(shown(one));
      throw_error<DataError>(
          "{}: cases are named alike in {} data sets that number their labels differently: {}. {}. "
          "Say which one it is: --profile {}.",
          where.string(), names.size(), fmt::join(names, "; "),
          values.empty()
              ? std::string("There are no labels that could tell")
              : fmt::format("The values in the labels ({}) do not tell", fmt::join(values, ", ")),
          candidates[0].profile->name);
    }
    // They read these files alike: the one with the fewest other values, directories before loose
    // files, then the first by name.
    const auto rank = [](const Candidate& one) {
      return std::pair(one.profile->labels.size(), one.profile->unit_is_file);
    };
    std::stable_sort(candidates.begin(), candidates.end(),
                     [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  }
  Candidate& chosen = candidates.front();
  const bool described = &find_profile(chosen.profile->name) != chosen.profile;  // dataset.json
  if (chosen.profile->generic && !described && chosen.profile->name != phantom &&
      chosen.profile->name != preferred && !labels_of(chosen).empty()) {
    throw_error<DataError>(
        "{}: {} cases are laid out as \"{}\" ({}), which does not fix what label values stand for. "
        "If they are {}: --profile {}. Else say so in a file: --profile my.json with \"extends\": "
        "\"{}\" and your own \"values\" and \"regions\" (docs/profiles.md).",
        where.string(), chosen.cases.size(), chosen.profile->title, chosen.cases[0].name.id,
        shown(chosen), chosen.profile->name, chosen.profile->name);
  }
  if (!preferred.empty() && preferred != chosen.profile->name) {
    for (const Profile& profile : all_profiles()) {
      if (profile.name != preferred || !agree(profile, *chosen.profile, {})) continue;
      Candidate earlier = see(tree, profile);
      if (earlier.places != chosen.places) continue;
      return {earlier.profile, "as the cache has it", std::move(earlier.cases)};
    }
  }
  const bool files = chosen.profile->unit_is_file;
  const std::size_t all =
      files ? chosen.cases.size() : std::max(chosen.cases.size(), tree.directories_with_images());
  ProfileChoice choice;
  choice.profile = chosen.profile;
  choice.why =
      files ? fmt::format("{} cases are named like {} ({}){}", chosen.cases.size(),
                          chosen.profile->title, chosen.cases[0].name.id, reason)
            : fmt::format("{} of {} case directories are named like {} ({}){}", chosen.cases.size(),
                          all, chosen.profile->title, chosen.cases[0].name.id, reason);
  choice.cases = std::move(chosen.cases);
  return choice;
}

std::vector<std::string> profiles_with_values(const Profile& profile, const std::string& id,
                                              const std::vector<int>& values) {
  std::vector<std::string> names;
  if (profile.generic) return names;  // its values were stated, not recognised
  for (const Profile& other : all_profiles()) {
    if (!other.automatic || other.generic || other.name == profile.name) continue;
    const bool all = std::all_of(values.begin(), values.end(), [&](int value) {
      return other.tissue(static_cast<std::uint8_t>(value)).has_value();
    });
    if (all && other.matches(id)) names.push_back(other.name);
  }
  return names;
}

}  // namespace lacuna::data
