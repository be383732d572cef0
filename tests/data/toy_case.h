// A small case made in memory, whose every voxel is known by formula, written as a cache of one.
#pragma once

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/files/file_system.h"
#include "base/files/temporary_directory.h"
#include "data/cache/case_writer.h"
#include "data/cache/cohort.h"

namespace lacuna::data {

inline void flip_byte(const std::filesystem::path& path, std::uintmax_t offset) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(offset));
  const char byte = static_cast<char>(file.get() ^ 0x10);
  file.seekp(static_cast<std::streamoff>(offset));
  file.put(byte);
}

// Standard output of a shell command.
inline std::string run(const std::string& command) {
  std::string text;
  FILE* pipe = popen(command.c_str(), "r");
  std::array<char, 4096> piece;
  while (pipe != nullptr && fgets(piece.data(), piece.size(), pipe) != nullptr)
    text += piece.data();
  if (pipe != nullptr) pclose(pipe);
  return text;
}

// 44 x 50 x 56 voxels, brain box at (3, 4, 5) of 37 x 41 x 35; T1c (modality 2) is absent.
struct ToyCase {
  static constexpr float kBackground = 3;

  ToyCase(const std::string& codec, bool real_voxels) : real(real_voxels) {
    CaseInfo& info = header.info;
    info.id = "toy";
    info.institution = "TCIA01";
    info.grade = "HGG";
    info.available = 0b1011;
    info.full_extent = {44, 50, 56};
    info.box_offset = {3, 4, 5};
    info.box_extent = {37, 41, 35};
    info.spacing_mm = {1, 1, 1.5};
    for (std::size_t i = 0; i < 4; ++i) info.affine[i][i] = 1;
    header.profile = "brats2018";
    header.modalities = {"FLAIR", "T1", "T1c", "T2"};
    header.regions = tumour_regions();
    header.codec = codec;
    header.sources = {{"a.nii.gz", 10, 20, "00"}, {"b.nii.gz", 30, 40, "11"}};
    for (int m = 0; m < 4; ++m) {
      IntensityStatistics statistics;
      statistics.background = kBackground;
      statistics.minimum = kBackground;
      statistics.maximum = 3000;
      statistics.mean = 0.1 + m;
      header.statistics.push_back(statistics);
      for (std::int64_t d = 0; d < 37; ++d) {
        for (std::int64_t h = 0; h < 41; ++h) {
          for (std::int64_t w = 0; w < 35; ++w) {
            const Extent at{d + 3, h + 4, w + 5};
            const bool present = contains(info.available, m);
            const float value = present ? intensity(m, at) : 0;
            if (real) {
              voxels.reals.push_back(value);
            } else {
              voxels.integers.push_back(static_cast<std::int16_t>(value));
            }
            if (m == 0) voxels.label.push_back(tissue(at));
          }
        }
      }
    }
  }

  bool in_box(const Extent& at) const {
    for (std::size_t a = 0; a < 3; ++a) {
      const std::int64_t place = at[a] - header.info.box_offset[a];
      if (place < 0 || place >= header.info.box_extent[a]) return false;
    }
    return true;
  }

  float intensity(int modality, const Extent& at) const {
    if (!contains(header.info.available, modality) || !in_box(at)) return kBackground;
    const auto value =
        static_cast<float>((at[0] * 7919 + at[1] * 104 + at[2] * 31 + modality * 977) % 2999);
    return real ? value + 0.25f : value;
  }

  std::uint8_t tissue(const Extent& at) const {
    constexpr std::uint8_t kTissues[] = {0, 1, 2, 3};
    return in_box(at) && at[0] % 3 == 0 ? kTissues[(at[1] + at[2]) % 4] : std::uint8_t{0};
  }

  // Writes cases/toy.h5 and cohort.json; all labelled cases in split "all".
  Cohort write(const std::filesystem::path& directory) {
    const auto bytes = encode_case(header, voxels);
    posix_file_system().make_directories(directory / "cases");
    write_durably(posix_file_system(), directory / "cases/toy.h5", bytes);
    Cohort cohort;
    cohort.directory = directory;
    cohort.profile = header.profile;
    cohort.modalities = ModalitySet(header.modalities);
    cohort.regions = header.regions;
    cohort.cases = {header.info};
    cohort.cases[0].file = "cases/toy.h5";
    cohort.splits["all"]["train"] = {"toy"};
    write_cohort(posix_file_system(), cohort);
    return cohort;
  }

  bool real;
  CaseHeader header;
  CaseVoxels voxels;
};

}  // namespace lacuna::data
