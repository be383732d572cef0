#include "data/cohorts/profile_parser.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/text/options.h"
#include "data/cohorts/profile_keys.h"

namespace lacuna::data {
namespace {

using Ordered = OrderedJson;

const std::map<std::string, Tissue> kTissueNames = {
    {"necrosis", Tissue::kNecrosis},   {"oedema", Tissue::kOedema},
    {"enhancing", Tissue::kEnhancing}, {"resection", Tissue::kResection},
    {"cyst", Tissue::kCyst},           {"tumour", Tissue::kTumour}};

const std::vector<std::string> kKeys = {
    "format", "version", "name",    "title",   "source",    "licence",   "aliases", "extends",
    "auto",   "generic", "hint",    "case",    "images",    "label",     "values",  "regions",
    "grids",  "tables",  "dataset", "phantom", "constants", "modalities"};

class Parser : private ProfileKeys {
 public:
  using ProfileKeys::ProfileKeys;

  Profile parse() {
    check_keys(json(), kKeys, "");
    if (text_or("format", "") != "lacuna-profile") {
      refuse("format", "must be \"lacuna-profile\"");
    }
    if (!json().contains("version") || json()["version"] != 1) {
      refuse("version", "must be 1, the form that this program reads");
    }
    profile_.name = text("name");
    static const std::regex kName("[a-z0-9]+(-[a-z0-9]+)*");
    if (!std::regex_match(profile_.name, kName)) {
      refuse("name", "is \"" + profile_.name + "\": lower-case letters, digits and single \"-\"");
    }
    profile_.title = text_or("title", profile_.name);
    profile_.licence = text_or("licence", "");
    profile_.aliases = texts_or(json(), "aliases");
    profile_.hints = texts_or(json(), "hint");
    for (const std::string& hint : profile_.hints) expression(hint, "hint");
    profile_.automatic = flag_or("auto", true);
    profile_.generic = flag_or("generic", false);
    profile_.dataset_file = text_or("dataset", "");
    parse_case();
    parse_files();
    parse_values();
    parse_regions();
    parse_grids();
    parse_tables();
    parse_constants();
    parse_phantom();
    return std::move(profile_);
  }

 private:
  void parse_case() {
    if (!json().contains("case")) refuse("case", "is missing");
    const Ordered& rule = json()["case"];
    check_keys(rule, {"match", "groups", "id", "patient", "unit", "not_in"}, "case");
    profile_.match = text_in(rule, "match", "case");
    if (profile_.match.empty()) refuse("case.match", "is missing");
    const std::size_t marks = expression(profile_.match, "case.match").mark_count();
    profile_.pattern = expression("(?:(.*)/)?(?:" + profile_.match + ")", "case.match");
    profile_.groups = texts_or(rule, "groups");
    if (profile_.groups.size() != marks) {
      refuse("case.groups", fmt::format("has {} names, case.match has {} capture groups: (...)",
                                        profile_.groups.size(), marks));
    }
    std::set<std::string> known = {"id"};
    for (const std::string& group : profile_.groups) {
      if (!known.insert(group).second) refuse("case.groups", "names \"" + group + "\" twice");
    }
    profile_.id_template = text_in(rule, "id", "case");
    profile_.patient_template = text_in(rule, "patient", "case");
    for (const auto* text : {&profile_.id_template, &profile_.patient_template}) {
      check_gaps(*text, known, text == &profile_.id_template ? "case.id" : "case.patient");
    }
    const std::string unit = text_in(rule, "unit", "case", "directory");
    if (unit != "directory" && unit != "file") {
      refuse("case.unit", "must be \"directory\" or \"file\"");
    }
    profile_.unit_is_file = unit == "file";
    if (profile_.unit_is_file && profile_.id_template.empty()) {
      refuse("case.id", "is missing: with \"unit\": \"file\" it says what of the name is the id");
    }
    profile_.not_in = texts_or(rule, "not_in");
    known_ = known;
    for (const char* always : {"patient", "visit", "institution", "grade"}) known_.insert(always);
  }

  void check_gaps(const std::string& text, const std::set<std::string>& known,
                  const std::string& key) const {
    try {
      for (const std::string& gap : gaps_of(text)) {
        if (known.count(gap) == 0) {
          refuse(key, "speaks of {" + gap + "}, which is not among the groups of the case (" +
                          fmt::format("{}", fmt::join(known, ", ")) + ")");
        }
      }
    } catch (const ConfigError& error) {
      const std::string what = error.what();
      if (what.starts_with(where())) throw;
      refuse(key, "cannot be read: " + what);
    }
  }

  FilePattern file_pattern(const Ordered& item, const std::string& key) const {
    FilePattern pattern;
    if (item.is_object()) {
      check_keys(item, {"match", "not"}, key);
      pattern.match = text_in(item, "match", key);
      pattern.exclude = texts_or(item, "not");
    } else {
      pattern.match = as_text(item, key);
    }
    const std::size_t hash = pattern.match.rfind('#');
    if (hash != std::string::npos) {
      const std::string number = pattern.match.substr(hash + 1);
      const auto* end = number.data() + number.size();
      const auto [stop, error] = std::from_chars(number.data(), end, pattern.channel);
      if (error != std::errc() || stop != end || pattern.channel < 0) {
        refuse(key, "ends in \"#" + number + "\": after # belongs the number of a channel, from 0");
      }
      pattern.match.resize(hash);
    }
    if (pattern.match.empty()) refuse(key, "holds an empty name");
    for (const char* ending : {".nii.gz", ".nii", ".mha"}) {
      if (pattern.match.ends_with(ending)) {
        refuse(key, fmt::format("has the ending {} in it: endings are not written", ending));
      }
    }
    check_gaps(pattern.match, known_, key);
    return pattern;
  }

  std::vector<FilePattern> patterns(const Ordered& value, const std::string& key) const {
    std::vector<FilePattern> list;
    if (!value.is_array()) {
      list.push_back(file_pattern(value, key));
    } else {
      for (const Ordered& item : value) list.push_back(file_pattern(item, key));
    }
    return list;
  }

  void parse_files() {
    if (!json().contains("images")) refuse("images", "is missing");
    const Ordered& images = json()["images"];
    if (!images.is_object() || images.empty()) {
      refuse("images", "must be an object: a name of a modality, and what its file is called");
    }
    std::vector<std::string> order = texts_or(json(), "modalities");
    if (order.empty()) {
      // FLAIR, T1, T1c, T2 is the order of the alphabet, too.
      for (const auto& [name, value] : images.items()) order.push_back(name);
      std::sort(order.begin(), order.end());
    }
    for (const auto& [name, value] : images.items()) {
      if (std::find(order.begin(), order.end(), name) == order.end()) {
        refuse("modalities", "does not name " + name + ", which \"images\" has");
      }
    }
    std::map<std::pair<std::string, int>, std::string> used;
    for (const std::string& name : order) {
      if (!images.contains(name)) refuse("images", "has no file for " + name);
      profile_.modalities.push_back(name);
      profile_.images.push_back(patterns(images[name], "images." + name));
      if (profile_.images.back().empty()) refuse("images." + name, "holds no name");
      for (const FilePattern& pattern : profile_.images.back()) {
        const auto [place, fresh] = used.try_emplace({pattern.match, pattern.channel}, name);
        if (!fresh && place->second != name && pattern.exclude.empty()) {
          refuse("images", fmt::format("gives {} and {} the same file \"{}\"", place->second, name,
                                       pattern.match));
        }
      }
    }
    if (json().contains("label")) profile_.label = patterns(json()["label"], "label");
    for (const FilePattern& pattern : profile_.label) {
      const auto same = used.find({pattern.match, pattern.channel});
      if (same != used.end()) {
        refuse("label", fmt::format("is the file of {}, \"{}\"", same->second, pattern.match));
      }
    }
  }

  Tissue tissue(const Ordered& value, const std::string& key) const {
    const std::string name = as_text(value, key);
    const auto found = kTissueNames.find(name);
    if (found != kTissueNames.end()) return found->second;
    std::vector<std::string> names;
    for (const auto& [known, tissue] : kTissueNames) names.push_back(known);
    const std::string near = nearest(name, names);
    refuse(key, "speaks of \"" + name + "\"; tissues are " +
                    fmt::format("{}", fmt::join(names, ", ")) +
                    (near.empty() ? "" : ". Did you mean " + near + "?"));
  }

  void parse_values() {
    if (!json().contains("values")) refuse("values", "is missing");
    const Ordered& values = json()["values"];
    if (!values.is_object() || values.empty()) {
      refuse("values", "must be an object: a label value, and the tissue that it stands for");
    }
    for (const auto& [text, name] : values.items()) {
      int value = 0;
      const auto* end = text.data() + text.size();
      const auto [stop, error] = std::from_chars(text.data(), end, value);
      if (error != std::errc() || stop != end || value < 1 || value > 255) {
        refuse("values." + text,
               "is not a label value: whole numbers from 1 to 255 are, and 0 is "
               "background");
      }
      for (const LabelValue& other : profile_.labels) {
        if (other.value == value) refuse("values." + text, "is there twice");
      }
      profile_.labels.push_back({static_cast<std::uint8_t>(value), tissue(name, "values." + text)});
    }
    std::sort(profile_.labels.begin(), profile_.labels.end(),
              [](const auto& a, const auto& b) { return a.value < b.value; });
  }

  void parse_regions() {
    if (!json().contains("regions")) refuse("regions", "is missing");
    const Ordered& regions = json()["regions"];
    if (!regions.is_object() || regions.empty()) {
      refuse("regions", "must be an object: a name, and the tissues that belong to it");
    }
    for (const auto& [name, list] : regions.items()) {
      const std::string key = "regions." + name;
      if (!list.is_array() || list.empty()) refuse(key, "must be a list of tissues");
      Region region{name, 0};
      for (const Ordered& item : list) {
        const Tissue part = tissue(item, key);
        if (profile_.value(part) == 0) {
          refuse(key, "holds " + item.get<std::string>() + ", which no label value stands for");
        }
        region.tissues |= 1u << static_cast<unsigned>(part);
      }
      profile_.regions.push_back(region);
    }
  }

  void parse_grids() {
    if (!json().contains("grids")) return;
    const Ordered& grids = json()["grids"];
    if (!grids.is_array()) refuse("grids", "must be a list");
    for (const Ordered& item : grids) {
      check_keys(item, {"shape", "axes", "spacing"}, "grids");
      ProfileGrid grid;
      try {
        if (item.contains("shape")) item["shape"].get_to(grid.shape);
        if (item.contains("spacing")) item["spacing"].get_to(grid.spacing_mm);
      } catch (const Ordered::exception&) {
        refuse("grids", "needs three numbers in \"shape\" and in \"spacing\"");
      }
      grid.axes = text_in(item, "axes", "grids");
      static const std::regex kAxes(
          "[LR][PA][SI]|[LR][SI][PA]|[PA][LR][SI]|[PA][SI][LR]|"
          "[SI][LR][PA]|[SI][PA][LR]|");
      if (!std::regex_match(grid.axes, kAxes)) {
        refuse("grids.axes", "is \"" + grid.axes + "\": three letters such as LPS or RAS");
      }
      profile_.grids.push_back(grid);
    }
  }

  void parse_tables() {
    if (!json().contains("tables")) return;
    if (!json()["tables"].is_array()) refuse("tables", "must be a list");
    for (const Ordered& item : json()["tables"]) {
      check_keys(item,
                 {"file", "id", "institution", "grade", "compare", "missing", "institution_in_ids"},
                 "tables");
      ProfileTable table;
      table.file = text_in(item, "file", "tables", "*");
      table.id = text_in(item, "id", "tables");
      table.institution = text_in(item, "institution", "tables");
      table.grade = text_in(item, "grade", "tables");
      const std::string compare = text_in(item, "compare", "tables", "exact");
      if (compare != "exact" && compare != "numbers") {
        refuse("tables.compare", "must be \"exact\" or \"numbers\"");
      }
      table.as_numbers = compare == "numbers";
      table.institution_in_ids = text_in(item, "institution_in_ids", "tables");
      if (expression(table.institution_in_ids, "tables.institution_in_ids").mark_count() != 1 &&
          !table.institution_in_ids.empty()) {
        refuse("tables.institution_in_ids", "must have one capture group: the institution");
      }
      table.missing = texts_or(item, "missing");
      profile_.tables.push_back(table);
    }
  }

  void parse_constants() {
    if (!json().contains("constants")) return;
    check_keys(json()["constants"], {"institution", "grade"}, "constants");
    profile_.institution = text_in(json()["constants"], "institution", "constants");
    profile_.grade = text_in(json()["constants"], "grade", "constants");
  }

  void parse_phantom() {
    if (!json().contains("phantom") || json()["phantom"].is_null()) return;
    const Ordered& phantom = json()["phantom"];
    check_keys(phantom, {"case", "extension", "institutions", "visits", "files", "table", "text"},
               "phantom");
    ProfileWriting& writing = profile_.writing;
    writing.path = text_in(phantom, "case", "phantom");
    writing.extension = text_in(phantom, "extension", "phantom", ".nii.gz");
    writing.institutions = texts_or(phantom, "institutions");
    writing.visits = texts_or(phantom, "visits");
    if (phantom.contains("files")) {
      const Ordered& files = phantom["files"];
      if (!files.is_object()) refuse("phantom.files", "must be an object");
      for (const std::string& name : profile_.modalities) {
        writing.images.push_back(text_in(files, name, "phantom.files"));
      }
      writing.label = text_in(files, "label", "phantom.files");
    }
    if (phantom.contains("table")) {
      const Ordered& table = phantom["table"];
      check_keys(table, {"file", "header", "row"}, "phantom.table");
      writing.table = {text_in(table, "file", "phantom.table"),
                       text_in(table, "header", "phantom.table"),
                       text_in(table, "row", "phantom.table")};
    }
    if (phantom.contains("text")) {
      const Ordered& text = phantom["text"];
      check_keys(text, {"file", "content"}, "phantom.text");
      if (!text.contains("content")) refuse("phantom.text.content", "is missing");
      writing.text = {text_in(text, "file", "phantom.text"), text["content"].dump(2), ""};
    }
    try {
      profile_.make_case(0, writing.institutions.empty() ? "TCIA01" : writing.institutions[0],
                         "HGG");
    } catch (const ConfigError& error) {
      refuse("phantom.case", std::string("does not fit the rest: ") + error.what());
    }
  }

  std::set<std::string> known_;  // what patterns of files may speak of
  Profile profile_;
};

}  // namespace

Profile parse_profile_json(const OrderedJson& json, const std::string& where) {
  return Parser(json, where).parse();
}

}  // namespace lacuna::data
