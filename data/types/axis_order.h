// From the order of voxels in a NIfTI file to that of tensors, and back.
//
// A file holds voxel (i,j,k) at i + ni * (j + nj * k): i runs fastest. Lacuna's volumes are
// D x H x W, row-major, with D = k (axial slices), H = i and W = j, the orientation in which the
// published methods were trained (ShaSpec card, section 6). So voxel (i,j,k) is element [k][i][j],
// slices keep their order, and each slice is transposed. Extents and spacings follow: a BraTS file
// of 240 x 240 x 155 is 155 x 240 x 240.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace lacuna::data {

// (i,j,k) -> (D,H,W), of extents, spacings or voxel positions.
template <typename T>
std::array<T, 3> to_depth_first(const std::array<T, 3>& file) {
  return {file[2], file[0], file[1]};
}
// (D,H,W) -> (i,j,k)
template <typename T>
std::array<T, 3> to_file_order(const std::array<T, 3>& depth_first) {
  return {depth_first[1], depth_first[2], depth_first[0]};
}

// Transposes each slice of `slices` x `rows` x `columns`, converting every value on the way. From
// a file: rows = nj, columns = ni; to a file: rows = H, columns = W of the volume.
template <typename In, typename Out, typename Convert>
void transpose_slices(const In* in, std::int64_t slices, std::int64_t rows, std::int64_t columns,
                      Out* out, Convert&& convert) {
  // A block of 32 x 32 values of either side stays in the first-level cache, so that each cache
  // line is fetched once although one side is walked across its lines.
  constexpr std::int64_t kBlock = 32;
  for (std::int64_t slice = 0; slice < slices; ++slice) {
    const In* from = in + slice * rows * columns;
    Out* to = out + slice * rows * columns;
    for (std::int64_t row = 0; row < rows; row += kBlock) {
      const std::int64_t row_end = std::min(rows, row + kBlock);
      for (std::int64_t column = 0; column < columns; column += kBlock) {
        const std::int64_t column_end = std::min(columns, column + kBlock);
        for (std::int64_t c = column; c < column_end; ++c) {
          for (std::int64_t r = row; r < row_end; ++r) {
            to[c * rows + r] = convert(from[r * columns + c]);
          }
        }
      }
    }
  }
}

}  // namespace lacuna::data
