#include <algorithm>

#include "base/error.h"
#include "data/nifti/nifti.h"
#include "tests/fuzz/memory_file.h"
#include "tests/fuzz/targets.h"

namespace lacuna::fuzz {
namespace {

// As ingest does: the header alone from the file, then each type that the voxels fit.
void read_volume(const Path& name, Bytes bytes) {
  for (const int channel : {-1, 0, 1}) {
    try {
      const data::NiftiFile file(name, bytes, channel);
      const auto values = file.read<float>();
      data::find_non_finite(values);
      data::voxel_name(static_cast<std::int64_t>(values.size()) - 1, file.header().extent());
      if (file.fits<std::int16_t>()) file.read<std::int16_t>();
      file.read<std::uint8_t>();
    } catch (const Error&) {
    }
  }
}

}  // namespace

void read_nifti(Bytes bytes) {
  read_volume("case.nii", bytes);
  // The voxels of a compressed file come another way, and a mutated stream seldom gets there.
  read_volume("case.nii.gz", data::gzip(bytes, 1));
}

void read_nifti_gz(Bytes bytes) { read_volume("case.nii.gz", bytes); }

void read_meta_image(Bytes bytes) { read_volume("case.mha", bytes); }

}  // namespace lacuna::fuzz
