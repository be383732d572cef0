#include "data/cohorts/profile_parser.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/text/options.h"

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

class Parser {
 public:
  Parser(const Ordered& json, const std::string& where) : json_(json), where_(where) {}

  Profile parse() {
    check_keys(json_, kKeys, "");
    if (text_or("format", "") != "lacuna-profile") {
      refuse("format", "must be \"lacuna-profile\"");
    }
    if (!json_.contains("version") || json_["version"] != 1) {
      refuse("version", "must be 1, the form that this program reads");
    }
    profile_.name = text("name");
    static const std::regex kName("[a-z0-9]+(-[a-z0-9]+)*");
    if (!std::regex_match(profile_.name, kName)) {
      refuse("name", "is \"" + profile_.name + "\": lower-case letters, digits and single \"-\"");
    }
    profile_.title = text_or("title", profile_.name);
    profile_.licence = text_or("licence", "");
    profile_.aliases = texts_or(json_, "aliases");
    profile_.hints = texts_or(json_, "hint");
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
  [[noreturn]] void refuse(const std::string& key, const std::string& what) const {
    throw_error<ConfigError>("{}: {} {}.", where_, key.empty() ? "the file" : "\"" + key + "\"",
                             what);
  }

  void check_keys(const Ordered& object, const std::vector<std::string>& known,
                  const std::string& inside) const {
    if (!object.is_object()) refuse(inside, "must be an object");
    for (const auto& [key, value] : object.items()) {
      if (std::find(known.begin(), known.end(), key) != known.end()) continue;
      const std::string near = nearest(key, known);
      refuse(inside.empty() ? key : inside + "." + key,
             "is not a key of a profile" +
                 (near.empty() ? "; known here: " + fmt::format("{}", fmt::join(known, ", "))
                               : ". Did you mean \"" + near + "\"?"));
    }
  }

  std::string as_text(const Ordered& value, const std::string& key) const {
    if (!value.is_string()) refuse(key, "must be a text");
    return value.get<std::string>();
  }
  std::string text(const std::string& key) const {
    if (!json_.contains(key)) refuse(key, "is missing");
    return as_text(json_[key], key);
  }
  std::string text_or(const std::string& key, const std::string& otherwise) const {
    return json_.contains(key) ? as_text(json_[key], key) : otherwise;
  }
  std::string text_in(const Ordered& object, const std::string& key, const std::string& inside,
                      const std::string& otherwise = "") const {
    return object.contains(key) ? as_text(object[key], inside + "." + key) : otherwise;
  }
  bool flag_or(const std::string& key, bool otherwise) const {
    if (!json_.contains(key)) return otherwise;
    if (!json_[key].is_boolean()) refuse(key, "must be true or false");
    return json_[key].get<bool>();
  }
  std::vector<std::string> texts_or(const Ordered& object, const std::string& key) const {
    std::vector<std::string> list;
    if (!object.contains(key)) return list;
    if (!object[key].is_array()) refuse(key, "must be a list of texts");
    for (const Ordered& item : object[key]) list.push_back(as_text(item, key));
    return list;
  }

  std::regex expression(const std::string& text, const std::string& key) const {
    try {
      return std::regex(text);
    } catch (const std::regex_error& error) {
      refuse(key, "is no regular expression: \"" + text + "\": " + error.what());
    }
  }

  void parse_case() {
    if (!json_.contains("case")) refuse("case", "is missing");
    const Ordered& rule = json_["case"];
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
      if (what.starts_with(where_)) throw;
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
    if (!json_.contains("images")) refuse("images", "is missing");
    const Ordered& images = json_["images"];
    if (!images.is_object() || images.empty()) {
      refuse("images", "must be an object: a name of a modality, and what its file is called");
    }
    std::vector<std::string> order = texts_or(json_, "modalities");
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
    if (json_.contains("label")) profile_.label = patterns(json_["label"], "label");
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
    if (!json_.contains("values")) refuse("values", "is missing");
    const Ordered& values = json_["values"];
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
    if (!json_.contains("regions")) refuse("regions", "is missing");
    const Ordered& regions = json_["regions"];
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
    if (!json_.contains("grids")) return;
    const Ordered& grids = json_["grids"];
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
    if (!json_.contains("tables")) return;
    if (!json_["tables"].is_array()) refuse("tables", "must be a list");
    for (const Ordered& item : json_["tables"]) {
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
    if (!json_.contains("constants")) return;
    check_keys(json_["constants"], {"institution", "grade"}, "constants");
    profile_.institution = text_in(json_["constants"], "institution", "constants");
    profile_.grade = text_in(json_["constants"], "grade", "constants");
  }

  void parse_phantom() {
    if (!json_.contains("phantom") || json_["phantom"].is_null()) return;
    const Ordered& phantom = json_["phantom"];
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

  const Ordered& json_;
  const std::string& where_;
  std::set<std::string> known_;  // what patterns of files may speak of
  Profile profile_;
};

}  // namespace

Profile parse_profile_json(const OrderedJson& json, const std::string& where) {
  return Parser(json, where).parse();
}

}  // namespace lacuna::data
