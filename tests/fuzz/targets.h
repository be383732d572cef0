// What is fuzzed: everything that reads bytes from outside. A target takes any bytes, may throw
// lacuna::Error with a message for people, and does nothing else: no crash, no hang, no allocation
// that its input does not need.
//
// Targets keep no state but a file in memory, and are called from one thread.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace lacuna::fuzz {

using Bytes = std::span<const std::byte>;

void read_nifti(Bytes bytes);        // .nii, and the same bytes compressed
void read_nifti_gz(Bytes bytes);     // .nii.gz as it is
void read_meta_image(Bytes bytes);   // .mha
void read_case_file(Bytes bytes);    // HDF5 case of a cache
void read_cohort(Bytes bytes);       // cohort.json
void read_tensor_file(Bytes bytes);  // safetensors
void read_json(Bytes bytes);         // any JSON, and JSON lines
void read_profile(Bytes bytes);      // a profile file
void read_split_lists(Bytes bytes);  // --splits, as JSON, table and text
void read_table(Bytes bytes);        // CSV, TSV, name_mapping.csv

struct Target {
  std::string_view name;  // of its directory under corpus/ and of the program fuzz_<name>
  void (*run)(Bytes bytes);
};
inline constexpr Target kTargets[] = {
    {"nifti", read_nifti},         {"nifti_gz", read_nifti_gz}, {"meta_image", read_meta_image},
    {"case_file", read_case_file}, {"cohort", read_cohort},     {"tensor_file", read_tensor_file},
    {"json", read_json},           {"profile", read_profile},   {"split_lists", read_split_lists},
    {"table", read_table}};

}  // namespace lacuna::fuzz
