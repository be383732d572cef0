// Modalities and subsets of them.
//
// A cohort names its modalities in a fixed canonical order (BraTS: FLAIR, T1, T1c, T2). Nothing
// here assumes four. Thread-safety: values and pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lacuna::data {

// Bit m set = modality m of the cohort is present. Written to checkpoints: do not renumber.
using SubsetMask = std::uint32_t;

class ModalitySet {
 public:
  // Throws ConfigError on no names, more than 31, empty or repeated ones.
  explicit ModalitySet(std::vector<std::string> names);

  int size() const { return static_cast<int>(names_.size()); }
  const std::vector<std::string>& names() const { return names_; }
  SubsetMask full() const { return (SubsetMask{1} << size()) - 1; }
  int index(const std::string& name) const;  // throws ConfigError naming the nearest

  // "FLAIR+T1c"; "all" for the full set in parse() only. Case-insensitive. Throws ConfigError.
  SubsetMask parse(const std::string& text) const;
  std::string format(SubsetMask subset) const;

  // Every non-empty subset, by size and then lexicographically in canonical order: for BraTS
  // F, T1, T1c, T2, F+T1, F+T1c, F+T2, T1+T1c, ..., all. The order of every table.
  std::vector<SubsetMask> subsets() const;

 private:
  std::vector<std::string> names_;
};

inline bool contains(SubsetMask subset, int modality) { return (subset >> modality & 1u) != 0; }
int count(SubsetMask subset);

}  // namespace lacuna::data
