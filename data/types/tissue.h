// Tissue classes and tumour regions, independent of the numbers that a data set writes in files.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace lacuna::data {

// The labels inside Lacuna. In caches and checkpoints: do not renumber.
enum class Tissue : std::uint8_t {
  kBackground = 0,
  kNecrosis = 1,   // NCR/NET: file label 1 in most profiles
  kOedema = 2,     // ED/SNFH: file label 2 in most
  kEnhancing = 3,  // ET: file label 4 up to 2021, 3 from 2023
  kResection = 4,  // RC, 2024 post-treatment: file label 4
  kCyst = 5,       // CC of paediatric tumours
  kTumour = 6,     // not divided further: GTV, the core of 2012
};

// A region is a set of tissues: bit t set = Tissue t belongs to it.
struct Region {
  std::string name;
  std::uint32_t tissues = 0;
};

inline bool contains(const Region& region, std::uint8_t tissue) {
  return (region.tissues >> tissue & 1u) != 0;
}

// ET = {3}, TC = {1, 3}, WT = {1, 2, 3}: the order of every table.
inline std::vector<Region> tumour_regions() {
  return {{"ET", 1u << 3}, {"TC", 1u << 1 | 1u << 3}, {"WT", 1u << 1 | 1u << 2 | 1u << 3}};
}

}  // namespace lacuna::data
