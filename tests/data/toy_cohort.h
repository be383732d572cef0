// A cache of several toy cases (toy_case.h) that differ by a constant in every voxel, so that a
// voxel tells which case it is from.
#pragma once

#include <string>
#include <vector>

#include "tests/data/toy_case.h"

namespace lacuna::data {

class ToyCohort {
 public:
  explicit ToyCohort(int cases, const std::string& codec = "none") : toy_(codec, false) {
    posix_file_system().make_directories(folder_.path() / "cases");
    cohort_.directory = folder_.path();
    cohort_.profile = toy_.header.profile;
    cohort_.regions = toy_.header.regions;
    for (int i = 0; i < cases; ++i) {
      ToyCase one = toy_;
      one.header.info.id = "toy" + std::to_string(i);
      for (auto& value : one.voxels.integers) {
        value = static_cast<std::int16_t>(value + kStep * i);
      }
      const auto bytes = encode_case(one.header, one.voxels);
      cohort_.cases.push_back(one.header.info);
      cohort_.cases.back().file = "cases/" + one.header.info.id + ".h5";
      write_durably(posix_file_system(), file(i), bytes);
    }
  }

  const Cohort& cohort() const { return cohort_; }
  std::filesystem::path file(int i) const {
    return folder_.path() / cohort_.cases[static_cast<std::size_t>(i)].file;
  }

  // What ingest stored, before normalisation.
  float intensity(int i, int modality, const Extent& at) const {
    const bool stored = contains(toy_.header.info.available, modality) && toy_.in_box(at);
    return toy_.intensity(modality, at) + static_cast<float>(stored ? kStep * i : 0);
  }
  std::uint8_t tissue(const Extent& at) const { return toy_.tissue(at); }
  const ToyCase& toy() const { return toy_; }

 private:
  static constexpr int kStep = 3000;
  TemporaryDirectory folder_;
  ToyCase toy_;
  Cohort cohort_;
};

}  // namespace lacuna::data
