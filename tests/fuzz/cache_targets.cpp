#include <vector>

#include "base/error.h"
#include "base/files/temporary_directory.h"
#include "data/cache/case_file.h"
#include "data/cache/case_layout.h"
#include "data/cache/cohort.h"
#include "tests/fuzz/memory_file.h"
#include "tests/fuzz/targets.h"

namespace lacuna::fuzz {
namespace {

void read_voxels(const data::CaseFile& file) {
  const data::CaseInfo& info = file.info();
  for (std::size_t m = 0; m < file.header().modalities.size(); ++m) {
    file.trimmed_statistics(static_cast<int>(m));
  }
  // A box that leaves the volume on both sides of an axis.
  const data::Extent corner{-1, info.box_offset[1], info.box_offset[2] - 2}, extent{40, 9, 60};
  std::vector<float> image(static_cast<std::size_t>(data::voxels(extent)));
  std::vector<std::uint8_t> label(image.size());
  file.read_image(0, corner, extent, image.data());
  file.verify();
  if (!info.has_label) return;
  file.read_label(corner, extent, label.data());
  for (std::size_t r = 0; r < file.header().regions.size(); ++r) {
    file.foreground(static_cast<int>(r));
  }
  for (const auto& map : file.header().label_maps) {
    file.read_label_map(map.name, 0, corner, extent, label.data());
  }
}

}  // namespace

void read_case_file(Bytes bytes) {
  static const MemoryFile memory;
  try {
    read_voxels(data::CaseFile(memory.with(bytes)));
  } catch (const Error&) {
  }
}

void read_cohort(Bytes bytes) {
  static const MemoryFile memory;
  static const TemporaryDirectory directory;
  const auto link = directory / "cohort.json";
  const std::string path = memory.with(bytes);
  std::error_code there;
  std::filesystem::create_symlink(path, link, there);
  try {
    const data::Cohort cohort = data::open_cohort(directory.path());
    for (const auto& [split, parts] : cohort.splits) {
      for (const auto& [part, ids] : parts) cohort.part(split, part);
    }
  } catch (const Error&) {
  }
}

}  // namespace lacuna::fuzz
