#include "data/cohorts/split_lists.h"

#include <algorithm>
#include <set>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/files/file_system.h"
#include "base/text/json.h"
#include "data/cohorts/case_names.h"
#include "data/cohorts/foreign_table.h"
#include "data/cohorts/split_list_forms.h"
#include "data/cohorts/splits.h"

namespace lacuna::data {
namespace {

namespace fs = std::filesystem;
using Ids = std::vector<std::string>;
using Masks = std::map<std::string, SubsetMask>;

class ListReader {
 public:
  ListReader(const SplitListOptions& options, const std::vector<CaseInfo>& cases,
             const ModalitySet& modalities)
      : options_(options), cases_(cases), modalities_(modalities), names_(cases) {}

  SplitLists read() {
    const fs::path& path = options_.path;
    if (fs::is_directory(path)) {
      read_directory(path);
    } else if (!fs::exists(path)) {
      throw_error<ConfigError>("{}: cannot be opened. Check --splits.", path.string());
    } else if (path.extension() == ".pkl") {
      throw_error<ConfigError>(
          "{}: a Python pickle, which can run code when it is opened and is not read. In Python: "
          "json.dump([{{'train': list(s['train']), 'val': list(s['val'])}} for s in "
          "pickle.load(open('{}', 'rb'))], open('splits_final.json', 'w')), then --splits "
          "splits_final.json.",
          path.string(), path.filename().string());
    } else if (path.extension() == ".csv" || path.extension() == ".tsv") {
      read_csv(path);
    } else if (path.extension() == ".txt") {
      throw_error<ConfigError>(
          "{}: one list, which does not say of what. Give the directory of train*.txt, val*.txt "
          "and test*.txt, or a JSON file that names it: {{\"mine\": {{\"train\": \"{}\"}}}}.",
          path.string(), path.filename().string());
    } else {
      read_json_file(path);
    }
    finish();
    return std::move(lists_);
  }

 private:
  // An entry of a list, as its id; what cannot be resolved is kept, to be named at the end.
  std::string resolve(const std::string& text) const { return names_.resolve(text); }

  void read_json_file(const fs::path& path) {
    const Json json = read_json(path);
    if (json.is_array() && !json.empty()) {
      read_nnunet(json);
    } else if (json.is_object() && json.contains("training") && json["training"].is_array()) {
      read_monai(json);
    } else {
      read_own(json);
    }
  }

  [[noreturn]] void refuse(const std::string& where) const {
    throw_error<ConfigError>(
        "{}: {} must be an object of parts (train, validation, test, meta), each a list of case "
        "ids or the name of a text file.",
        options_.path.string(), where);
  }

  void read_own(const Json& json) {
    lists_.form = "splits by name";
    if (!json.is_object()) refuse("the file");
    for (const auto& [split, parts] : json.items()) {
      if (!parts.is_object()) refuse("split " + split);
      for (const auto& [part, value] : parts.items()) {
        const bool list =
            value.is_array() &&
            std::all_of(value.begin(), value.end(), [](const Json& id) { return id.is_string(); });
        if (!is_part(part) || (!list && !value.is_string())) {
          refuse("split " + split + ", part " + part);
        }
        if (list) {
          for (const auto& id : value.get<Ids>()) add(split, part, id);
          lists_.splits[split][part];
        } else {
          read_list(options_.path.parent_path() / value.get<std::string>(), split, part);
        }
      }
    }
  }

  void read_nnunet(const Json& json) {
    lists_.form = "nnU-Net, splits_final.json";
    int fold = 0;
    for (const Json& one : json) {
      const std::string split = fmt::format("fold{}", fold++);
      if (!one.is_object() || !one.contains("train") || !one.contains("val")) {
        throw_error<ConfigError>(
            "{}: entry {} of the array is not {{\"train\": [...], \"val\": [...]}}, the form of "
            "nnU-Net's splits_final.json.",
            options_.path.string(), fold - 1);
      }
      lists_.splits[split]["validation"];  // none: nnU-Net takes the last checkpoint
      for (const auto& [key, part] : {std::pair("train", "train"), std::pair("val", "test")}) {
        lists_.splits[split][part];
        for (const Json& id : one.at(key)) add(split, part, text_of(id));
      }
    }
  }

  std::string text_of(const Json& value) const {
    if (value.is_string()) return value.get<std::string>();
    throw_error<ConfigError>("{}: {} is not the name of a case.", options_.path.string(),
                             value.dump().substr(0, 80));
  }

  // An entry is a path, or an object with `image` (a path or several) and `label`.
  std::string monai_case(const Json& entry) const {
    if (entry.is_string()) return entry.get<std::string>();
    for (const char* key : {"label", "image"}) {
      const Json value = entry.is_object() ? entry.value(key, Json()) : Json();
      if (value.is_string()) return value.get<std::string>();
      if (value.is_array() && !value.empty()) return text_of(value[0]);
    }
    return text_of(entry);
  }

  void read_monai(const Json& json) {
    lists_.form = "MONAI's data list";
    std::set<int> folds;
    for (const Json& entry : json["training"]) {
      if (entry.is_object() && entry.contains("fold") && entry["fold"].is_number_integer()) {
        folds.insert(entry["fold"].get<int>());
      }
    }
    const auto add_all = [&](const std::string& split, const char* key, const char* part) {
      if (!json.contains(key)) return;
      for (const Json& entry : json[key]) add(split, part, monai_case(entry));
    };
    if (folds.empty()) {
      add_all("monai", "training", "train");
      lists_.splits["monai"]["validation"];
      for (const char* key : {"validation", "val"}) add_all("monai", key, "validation");
      for (const char* key : {"testing", "test"}) add_all("monai", key, "test");
      return;
    }
    for (const int fold : folds) {
      const std::string split = fmt::format("fold{}", fold);
      for (const Json& entry : json["training"]) {
        const bool held = entry.is_object() && entry.value("fold", -1) == fold;
        add(split, held ? "validation" : "train", monai_case(entry));
      }
    }
  }

  void read_csv(const fs::path& path) {
    const std::string split = split_name_of(path.stem().string());
    const ForeignTable table = read_foreign_table(path);
    if (is_mask_list(table)) {
      lists_.form = "training list with missing modalities (masks in the order FLAIR, T1c, T1, T2)";
      lists_.splits[split]["validation"];
      read_table(table, path, split, "train");
    } else if (is_case_mask_list(table)) {
      lists_.form = "list of cases and masks";
      const std::string part = part_in_name(path.stem().string());
      read_table(table, path, split, part.empty() ? "test" : part);
    } else {
      lists_.form = "table of cases and parts";
      read_parts(table, path, split);
    }
  }

  // A name and the word of its part a row, without a header.
  void read_parts(const ForeignTable& table, const fs::path& path, const std::string& split) {
    std::map<std::string, std::string> folders;
    const fs::path naming = path.parent_path() / "corresponding_naming.csv";
    if (fs::exists(naming)) {
      for (const TableRow& row : read_foreign_table(naming).rows) {
        if (row.size() >= 2) folders[names_.reduce(row[0])] = row[1];
      }
    }
    std::vector<TableRow> rows = table.rows;
    rows.insert(rows.begin(), table.header);
    int read = 0;
    for (const TableRow& row : rows) {
      const std::string part = row.size() < 2 ? "" : part_of_word(row[1]);
      if (part.empty()) {
        if (&row == &rows.front()) continue;  // a header
        throw_error<ConfigError>(
            "{}: the row \"{}\" does not say a part: Training, Validation or Inference (test). "
            "Known forms of lists are in docs/file-formats.md.",
            path.string(), fmt::join(row, ","));
      }
      const auto folder = folders.find(names_.reduce(row[0]));
      add(split, part, folder == folders.end() ? row[0] : folder->second);
      ++read;
    }
    if (read == 0) throw_error<ConfigError>("{}: no case in it.", path.string());
  }

  // A list of one part: text, or one of the tables with masks.
  void read_list(const fs::path& path, const std::string& split, const std::string& part) {
    if (!fs::exists(path)) {
      throw_error<ConfigError>("{}: cannot be opened. Check the splits file.", path.string());
    }
    ForeignTable table = read_foreign_table(path);
    lists_.splits[split][part];
    if (is_mask_list(table) || is_case_mask_list(table))
      return read_table(table, path, split, part);
    table.rows.insert(table.rows.begin(), table.header);
    for (const TableRow& row : table.rows) {
      const std::string name = row.empty() ? "" : row[0];
      if (name.empty()) continue;
      if (&row == &table.rows.front() && plain_name(name).ends_with("subjectid")) continue;
      add(split, part, name);
    }
  }

  void read_table(const ForeignTable& table, const fs::path& path, const std::string& split,
                  const std::string& part) {
    const bool passion = is_mask_list(table);
    const std::vector<std::string>& order = passion ? kTrainingMaskOrder : options_.mask_order;
    if (order.empty()) {
      throw_error<ConfigError>(
          "{}: holds masks, and such lists are written in several orders. Say which, for example: "
          "--mask-order FLAIR,T1c,T1,T2",
          path.string());
    }
    for (const TableRow& row : table.rows) {
      const std::size_t column = passion ? 2 : 1;
      if (row.size() <= column) {
        throw_error<ConfigError>("{}: the row \"{}\" is too short.", path.string(),
                                 fmt::join(row, ","));
      }
      const std::string id = add(split, part, row[0]);
      lists_.available[split][id] = read_mask(row[column], order, modalities_,
                                              fmt::format("{}: case {}", path.string(), row[0]));
    }
  }

  void read_directory(const fs::path& directory) {
    std::vector<fs::path> files, masks, others;
    for (const auto& entry : fs::directory_iterator(directory)) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    std::map<std::string, std::map<std::string, fs::path>> numbered;  // number -> part -> list
    for (const fs::path& file : files) {
      const std::string name = file.filename().string();
      if (name.starts_with(".") || (file.extension() != ".txt" && file.extension() != ".csv")) {
        continue;
      }
      std::string number;
      const std::string part = part_in_name(file.stem().string(), &number);
      if (!part.empty()) {
        fs::path& place = numbered[number][part];
        // Of two lists of one part, the one with masks tells more: "test15splits.csv".
        if (place.empty() || file.extension() == ".csv") place = file;
      } else if (file.extension() == ".csv" && name != "corresponding_naming.csv") {
        (is_mask_list(read_foreign_table(file)) ? masks : others).push_back(file);
      }
    }
    if (numbered.empty() && masks.empty() && others.empty()) {
      throw_error<ConfigError>(
          "{}: holds no list. Looked for train*.txt, val*.txt, test*.txt, the same as .csv, and "
          "tables with parts or masks. Known forms are in docs/file-formats.md.",
          directory.string());
    }
    lists_.form = "a directory of lists";
    for (const auto& [number, parts] : numbered) {
      if (!masks.empty() && !parts.contains("train")) continue;  // they belong to the masks' splits
      const std::string split = "split" + number;
      lists_.splits[split]["validation"];
      for (const auto& [part, file] : parts) read_list(file, split, part);
    }
    for (const fs::path& file : masks) {  // training lists: the other parts are those beside them
      const std::string split = split_name_of(file.stem().string());
      lists_.splits[split]["validation"];
      if (numbered.count("") > 0) {
        for (const auto& [part, list] : numbered[""]) {
          if (part != "train") read_list(list, split, part);
        }
      }
      read_list(file, split, "train");
    }
    for (const fs::path& file : others) {
      if (!numbered.empty() && read_foreign_table(file).header.size() != 2) continue;
      read_parts(read_foreign_table(file), file, split_name_of(file.stem().string()));
    }
  }

  std::string add(const std::string& split, const std::string& part, const std::string& name) {
    lists_.splits[split][part].push_back(resolve(name));
    return lists_.splits[split][part].back();
  }

  void check(const std::string& split, const std::map<std::string, Ids>& parts) const {
    const std::string where = fmt::format("{}: split {}", options_.path.string(), split);
    Ids unknown, unlabelled, repeated;
    std::set<std::string> seen;
    for (const auto& [part, ids] : parts) {
      for (const std::string& id : ids) {
        const CaseInfo* info = names_.find(id);
        if (info == nullptr) {
          unknown.push_back(id);
        } else if (part != "test" && !info->has_label) {
          unlabelled.push_back(id);
        }
        if (!seen.insert(id).second) repeated.push_back(id);
      }
    }
    const auto refuse_all = [&](Ids ids, const char* what) {
      if (ids.empty()) return;
      constexpr std::size_t kNamed = 20;
      const std::size_t all = ids.size();
      ids.resize(std::min(all, kNamed));
      throw_error<ConfigError>("{}: {}: {}{}. Correct the list.", where, what, fmt::join(ids, ", "),
                               all > kNamed ? fmt::format(" and {} more", all - kNamed) : "");
    };
    refuse_all(unknown, "cases that the cohort does not have (not in --in, or refused)");
    refuse_all(repeated, "cases that are named twice");
    refuse_all(unlabelled, "cases without a label cannot be in train, validation or meta");
    const auto torn = split_patients(parts, cases_);
    if (torn.empty() || options_.allow_split_patients) return;
    throw_error<ConfigError>(
        "{}: {} patients have cases in more than one part, for example {} ({}) in {}. What is "
        "tested would have been seen in training. Correct the list, or insist with "
        "--allow-split-patients.",
        where, torn.size(), torn[0].patient, fmt::join(torn[0].cases, ", "),
        fmt::join(torn[0].parts, " and "));
  }

  void finish() {
    for (auto& [split, parts] : lists_.splits) {
      check(split, parts);
      if (parts.count("meta") == 0) set_aside_meta(parts, cases_);
      for (auto& [part, ids] : parts) std::sort(ids.begin(), ids.end());
    }
    for (auto& [split, masks] : lists_.available) {
      for (auto& [id, mask] : masks) {
        const SubsetMask there = names_.find(id)->available;
        if ((mask & there) == 0) {
          throw_error<ConfigError>(
              "{}: split {}: case {} is left {} but has only {}. Correct the list.",
              options_.path.string(), split, id, modalities_.format(mask),
              modalities_.format(there));
        }
        mask &= there;
      }
    }
  }

  const SplitListOptions& options_;
  const std::vector<CaseInfo>& cases_;
  const ModalitySet& modalities_;
  const CaseNames names_;
  SplitLists lists_;
};

}  // namespace

SplitLists read_splits(const SplitListOptions& options, const std::vector<CaseInfo>& cases,
                       const ModalitySet& modalities) {
  return ListReader(options, cases, modalities).read();
}

}  // namespace lacuna::data
