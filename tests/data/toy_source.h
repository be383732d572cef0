// Small cohorts of NIfTI files, written the way BraTS lays them out, with voxels known by formula.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/cohorts/profile.h"
#include "data/nifti/nifti.h"

namespace lacuna::data {

struct ToySource {
  static constexpr Extent kExtent{14, 18, 16};

  ToySource(std::filesystem::path root, const std::string& profile_name)
      : directory(std::move(root)), profile(find_profile(profile_name)) {}

  static NiftiHeader grid() {
    NiftiHeader header;
    header.size = {kExtent[1], kExtent[2], kExtent[0]};
    header.sform_code = 1;
    header.sform = {{{-1, 0, 0, 10}, {0, -1, 0, 20}, {0, 0, 1, -5}}};
    return header;
  }

  // 0 outside of a box of 8 x 9 x 7 voxels at (3, 4, 5).
  static std::int16_t intensity(int number, int modality, std::int64_t d, std::int64_t h,
                                std::int64_t w) {
    if (d < 3 || d >= 11 || h < 4 || h >= 13 || w < 5 || w >= 12) return 0;
    return static_cast<std::int16_t>(1 +
                                     (number * 331 + modality * 97 + d * 41 + h * 13 + w) % 900);
  }
  static std::vector<std::int16_t> volume(int number, int modality) {
    std::vector<std::int16_t> values;
    for (std::int64_t d = 0; d < kExtent[0]; ++d) {
      for (std::int64_t h = 0; h < kExtent[1]; ++h) {
        for (std::int64_t w = 0; w < kExtent[2]; ++w) {
          values.push_back(intensity(number, modality, d, h, w));
        }
      }
    }
    return values;
  }
  // File values: tumour in the middle of the box.
  std::vector<std::uint8_t> label() const {
    std::vector<std::uint8_t> values;
    for (const std::int16_t value : volume(0, 0)) {
      const std::size_t kind = static_cast<std::size_t>(value) % 8;
      values.push_back(value > 0 && kind >= 1 && kind <= profile.labels.size()
                           ? profile.labels[kind - 1].value
                           : std::uint8_t{0});
    }
    return values;
  }

  std::filesystem::path file(const CaseName& name, int modality) const {
    return directory / profile.case_directory(name) / profile.image_file(name.id, modality);
  }
  std::filesystem::path label_file(const CaseName& name) const {
    return directory / profile.case_directory(name) / profile.segmentation_file(name.id);
  }

  void add(int number, const std::string& institution, const std::string& grade) {
    const CaseName name{profile.make_id(number, institution), institution, grade};
    names.push_back(name);
    FileSystem& files = posix_file_system();
    files.make_directories(directory / profile.case_directory(name));
    for (int m = 0; m < 4; ++m) {
      write_nifti<std::int16_t>(files, file(name, m), grid(), volume(number, m), 1);
    }
    write_nifti<std::uint8_t>(files, label_file(name), grid(), label(), 1);
  }

  // `count` cases of two institutions, a third of them low grade, with the profile's table.
  ToySource& fill(int count) {
    for (int i = 0; i < count; ++i) {
      add(i, i % 2 == 0 ? "TCIA01" : "CBICA", i % 3 == 0 ? "LGG" : "HGG");
    }
    if (const auto table = profile.make_table(names)) {
      write_durably(posix_file_system(), directory / table->file, table->text);
    }
    return *this;
  }

  std::filesystem::path directory;
  const Profile& profile;
  std::vector<CaseName> names;
};

}  // namespace lacuna::data
