// The header of a MetaImage in one file (.mha), as BraTS 2012 to 2015 were published: lines of
// text, then the voxels, plain or as one zlib stream.
//
// Its world is LPS; the affine that comes out is NIfTI's, RAS. Pure functions, thread-safe.
#pragma once

#include <cstddef>
#include <span>

#include "data/nifti/nifti_header.h"

namespace lacuna::data {

struct MetaImage {
  NiftiHeader header;  // data_offset: of the (compressed) voxels in the file
  bool compressed = false;
};

bool is_meta_image(const Path& path);  // by its name

// `file`: at least the header. Throws DataError, opened by `name`: not a MetaImage, voxels in
// another file, not three axes, several channels, a type that is not read, impossible numbers.
MetaImage parse_meta_image(std::span<const std::byte> file, const Path& name);

}  // namespace lacuna::data
