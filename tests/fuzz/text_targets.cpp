#include <string>
#include <vector>

#include "base/error.h"
#include "base/files/csv.h"
#include "base/files/temporary_directory.h"
#include "base/files/tensor_file.h"
#include "base/text/log.h"
#include "base/text/parse_json.h"
#include "data/cohorts/case_table.h"
#include "data/cohorts/profile_file.h"
#include "data/cohorts/split_lists.h"
#include "tests/fuzz/memory_file.h"
#include "tests/fuzz/targets.h"

namespace lacuna::fuzz {
namespace {

std::string_view text_of(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The bytes under a name that says what they are.
std::string named_file(Bytes bytes, const char* name) {
  static const MemoryFile memory;
  static const TemporaryDirectory directory;
  const std::string path = memory.with(bytes);
  std::error_code there;
  std::filesystem::create_symlink(path, directory / name, there);
  return directory.text(name);
}

const std::vector<data::CaseInfo>& known_cases() {
  static const auto cases = [] {
    std::vector<data::CaseInfo> made;
    for (int i = 0; i < 12; ++i) {
      data::CaseInfo info;
      info.id = "BraTS-GLI-0000" + std::to_string(i / 2) + "-00" + std::to_string(i % 2);
      info.patient = info.id.substr(0, 15);
      info.available = 0b1111;
      info.has_label = true;
      made.push_back(info);
    }
    return made;
  }();
  return cases;
}

}  // namespace

void read_tensor_file(Bytes bytes) {
  static const MemoryFile memory;
  try {
    const TensorFile file(memory.with(bytes));
    unsigned sum = 0;
    for (const TensorView& view : file.tensors()) {
      for (const std::byte each : view.bytes) sum += static_cast<unsigned>(each);
    }
    volatile unsigned touched = sum;
    static_cast<void>(touched);
    encode_tensors(file.tensors(), file.metadata());
  } catch (const Error&) {
  }
}

void read_json(Bytes bytes) {
  const std::string_view text = text_of(bytes);
  try {
    const Json json = parse_json(text, "file.json");
    const Json copy = json;
    if (copy.is_object()) field_or(copy, "format", std::string());
    copy.dump();
  } catch (const Error&) {
  }
  parse_json_line(text);
}

void read_profile(Bytes bytes) {
  try {
    const data::Profile profile =
        data::parse_profile(text_of(bytes), "own.json", [](const std::string& name) {
          try {
            return data::profile_text(name);
          } catch (const Error&) {
            return std::string();
          }
        });
    const data::CaseName name{profile.make_id(3, "Site"), "Site", "HGG"};
    profile.case_directory(name);
    for (std::size_t m = 0; m < profile.modalities.size(); ++m) {
      profile.image_file(name.id, static_cast<int>(m));
    }
    profile.make_table({name});
  } catch (const Error&) {
  }
}

void read_split_lists(Bytes bytes) {
  for (const char* name : {"splits.json", "splits.csv", "train.txt"}) {
    try {
      data::SplitListOptions options;
      options.path = named_file(bytes, name);
      options.allow_split_patients = true;
      data::read_splits(options, known_cases(), data::ModalitySet({"FLAIR", "T1", "T1c", "T2"}));
    } catch (const Error&) {
    }
  }
}

void read_table(Bytes bytes) {
  try {
    const Csv csv = Csv::parse(text_of(bytes), "cases.csv");
    for (std::size_t row = 0; row < csv.rows(); ++row) {
      csv.text(row, "case");
      csv.number(row, "dice");
    }
  } catch (const Error&) {
  }
  std::vector<data::CaseName> names;
  for (const data::CaseInfo& info : known_cases()) names.push_back({info.id, "", ""});
  std::vector<data::CaseName*> cases;
  for (data::CaseName& each : names) cases.push_back(&each);
  try {
    data::apply_case_tables({named_file(bytes, "name_mapping.csv")},
                            data::find_profile("brats2023-gli"), cases);
  } catch (const Error&) {
  }
}

}  // namespace lacuna::fuzz
