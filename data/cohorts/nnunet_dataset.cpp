#include "data/cohorts/nnunet_dataset.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <memory>
#include <mutex>
#include <set>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/text/json.h"
#include "data/cohorts/foreign_table.h"

namespace lacuna::data {
namespace {

// "" for a name that is no modality known here.
std::string modality_of(const std::string& channel) {
  static const std::map<std::string, std::string> kNames = {
      {"flair", "FLAIR"}, {"t2f", "FLAIR"}, {"t2flair", "FLAIR"}, {"t1", "T1"},    {"t1w", "T1"},
      {"t1n", "T1"},      {"t1ce", "T1c"},  {"t1c", "T1c"},       {"t1gd", "T1c"}, {"t1gad", "T1c"},
      {"t1post", "T1c"},  {"t1wce", "T1c"}, {"t1wgd", "T1c"},     {"t2", "T2"},    {"t2w", "T2"}};
  const auto found = kNames.find(plain_name(channel));
  return found == kNames.end() ? "" : found->second;
}

Tissue tissue_of_label(const std::string& label) {
  static const std::map<std::string, Tissue> kNames = {{"edema", Tissue::kOedema},
                                                       {"oedema", Tissue::kOedema},
                                                       {"ed", Tissue::kOedema},
                                                       {"snfh", Tissue::kOedema},
                                                       {"peritumoraledema", Tissue::kOedema},
                                                       {"necrosis", Tissue::kNecrosis},
                                                       {"ncr", Tissue::kNecrosis},
                                                       {"netc", Tissue::kNecrosis},
                                                       {"net", Tissue::kNecrosis},
                                                       {"nonenhancingtumor", Tissue::kNecrosis},
                                                       {"nonenhancing", Tissue::kNecrosis},
                                                       {"necrotic", Tissue::kNecrosis},
                                                       {"enhancing", Tissue::kEnhancing},
                                                       {"enhancingtumor", Tissue::kEnhancing},
                                                       {"enhancingtumour", Tissue::kEnhancing},
                                                       {"et", Tissue::kEnhancing},
                                                       {"rc", Tissue::kResection},
                                                       {"resectioncavity", Tissue::kResection},
                                                       {"cyst", Tissue::kCyst},
                                                       {"cc", Tissue::kCyst},
                                                       {"tumor", Tissue::kTumour},
                                                       {"tumour", Tissue::kTumour},
                                                       {"gtv", Tissue::kTumour}};
  const auto found = kNames.find(plain_name(label));
  return found == kNames.end() ? Tissue::kBackground : found->second;
}

std::string region_of_label(const std::string& label) {
  const std::string name = plain_name(label);
  if (name.starts_with("whole") || name == "wt") return "WT";
  if (name == "tc" || name.ends_with("core")) return "TC";
  if (name.starts_with("enhancing") || name == "et") return "ET";
  return "";
}

std::optional<int> number_in(const std::string& text) {
  int value = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stop == end ? std::optional(value) : std::nullopt;
}

class Description {
 public:
  Description(const std::filesystem::path& path, Profile profile)
      : where_(path.string()), profile_(std::move(profile)) {
    try {
      json_ = read_json(path);
    } catch (const ConfigError& error) {
      throw_error<DataError>("{}", error.what());
    }
    if (!json_.is_object()) throw_error<DataError>("{}: not an object.", where_);
    channels();
    labels();
  }

  Profile take() { return std::move(profile_); }

 private:
  void channels() {
    // "0": "T1" in both versions.
    const char* key = json_.contains("channel_names") ? "channel_names" : "modality";
    if (!json_.contains(key)) return;
    std::map<std::string, std::vector<FilePattern>> images;
    for (const auto& [number, value] : json_[key].items()) {
      const std::string name = value.is_string() ? value.get<std::string>() : value.dump();
      const std::string modality = modality_of(name);
      const auto index = number_in(number);
      if (modality.empty() || !index) {
        throw_error<DataError>(
            "{}: channel {} is called \"{}\", which is none of FLAIR, T1, T1c (T1ce, T1Gd), T2. "
            "Describe the files in a profile of your own: --profile my.json.",
            where_, number, name);
      }
      if (!images
               .emplace(modality,
                        std::vector{FilePattern{fmt::format("{{id}}_{:04}", *index), {}, -1}})
               .second) {
        throw_error<DataError>("{}: two channels are {}.", where_, modality);
      }
    }
    profile_.modalities.clear();
    profile_.images.clear();
    for (auto& [modality, patterns] : images) {
      profile_.modalities.push_back(modality);
      profile_.images.push_back(std::move(patterns));
    }
  }

  [[noreturn]] void refuse_label(const std::string& name) const {
    throw_error<DataError>(
        "{}: the label \"{}\" is none that is known here (edema, necrosis, enhancing tumor, "
        "resection cavity, cyst, tumor, or regions: whole tumor, tumor core, enhancing tumor). Say "
        "what its values stand for in a profile of your own: --profile my.json.",
        where_, name);
  }

  void labels() {
    if (!json_.contains("labels") || !json_["labels"].is_object()) return;
    std::map<int, Tissue> tissues;
    std::map<std::string, std::set<int>> regions;
    for (const auto& [key, value] : json_["labels"].items()) {
      // Version 1 has it the other way round: "1": "edema".
      const auto inverted = number_in(key);
      const std::string name =
          inverted && value.is_string() ? value.get<std::string>() : std::string(key);
      if (value.is_array()) {
        const std::string region = region_of_label(name);
        if (region.empty()) refuse_label(name);
        for (const Json& item : value) regions[region].insert(item.get<int>());
        continue;
      }
      const auto number = value.is_number_integer() ? std::optional(value.get<int>()) : inverted;
      if (!number || *number == 0 || plain_name(name) == "ignore") continue;
      const Tissue tissue = tissue_of_label(name);
      if (tissue == Tissue::kBackground) refuse_label(name);
      tissues[*number] = tissue;
    }
    // What only the innermost region has is its tissue.
    const auto& et = regions["ET"];
    const auto& tc = regions["TC"];
    for (const int value : regions["WT"]) {
      tissues.try_emplace(value, et.count(value) > 0   ? Tissue::kEnhancing
                                 : tc.count(value) > 0 ? Tissue::kNecrosis
                                                       : Tissue::kOedema);
    }
    if (tissues.empty()) return;
    profile_.labels.clear();
    std::uint32_t there = 0;
    for (const auto& [value, tissue] : tissues) {
      if (value < 1 || value > 255) {
        throw_error<DataError>("{}: label value {}; 1 to 255 are allowed.", where_, value);
      }
      profile_.labels.push_back({static_cast<std::uint8_t>(value), tissue});
      there |= 1u << static_cast<unsigned>(tissue);
    }
    profile_.regions.clear();
    const auto bit = [](Tissue tissue) { return 1u << static_cast<unsigned>(tissue); };
    const std::uint32_t core =
        bit(Tissue::kNecrosis) | bit(Tissue::kEnhancing) | bit(Tissue::kCyst);
    for (const Region& region :
         {Region{"ET", bit(Tissue::kEnhancing)}, Region{"TC", core},
          Region{"WT", core | bit(Tissue::kOedema)}, Region{"RC", bit(Tissue::kResection)},
          Region{"GTV", bit(Tissue::kTumour)}}) {
      if ((region.tissues & there) != 0) {
        profile_.regions.push_back({region.name, region.tissues & there});
      }
    }
  }

  std::string where_;
  Profile profile_;
  Json json_;
};

}  // namespace

const Profile& profile_of_dataset(const SourceTree& tree, const Profile& profile) {
  static std::mutex mutex;
  static std::map<std::string, std::unique_ptr<Profile>> made;
  for (const std::string& directory : tree.directories()) {
    const std::filesystem::path path = tree.file_in(directory, profile.dataset_file);
    if (path.empty()) continue;
    const std::lock_guard lock(mutex);
    auto& place = made[path.string()];
    if (!place) place = std::make_unique<Profile>(Description(path, profile).take());
    return *place;
  }
  return profile;
}

}  // namespace lacuna::data
