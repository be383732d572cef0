// Mask pairs with the numbers of the official programs (tests/evaluation/vectors/README.md).
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "base/files/file_system.h"
#include "base/files/tensor_file.h"
#include "base/text/json.h"
#include "data/types/axis_order.h"
#include "data/types/extent.h"

namespace lacuna::evaluation {

inline std::filesystem::path vectors_directory() {
  const char* source = std::getenv("LACUNA_SOURCE");
  return std::filesystem::path(source ? source : ".") / "tests/evaluation/vectors";
}

// "nan" and "inf" are text in the files.
inline double number(const Json& value) {
  if (value.is_number()) return value.get<double>();
  if (value == "inf") return std::numeric_limits<double>::infinity();
  return std::numeric_limits<double>::quiet_NaN();
}

struct VectorPair {
  Json expected;
  data::Extent extent{};                        // D, H, W
  std::array<double, 3> spacing_mm{};           // D, H, W; as the header of a file holds it: float
  std::vector<std::uint8_t> prediction, truth;  // Tissue values, D x H x W
};

// An array in C order over i, j, k, as a volume.
inline std::vector<std::uint8_t> as_volume(const TensorView& tensor) {
  const auto ni = tensor.shape[0], nj = tensor.shape[1], nk = tensor.shape[2];
  std::vector<std::uint8_t> volume(static_cast<std::size_t>(ni * nj * nk));
  for (std::int64_t i = 0; i < ni; ++i) {
    for (std::int64_t j = 0; j < nj; ++j) {
      for (std::int64_t k = 0; k < nk; ++k) {
        volume[static_cast<std::size_t>((k * ni + i) * nj + j)] = static_cast<std::uint8_t>(
            tensor.bytes[static_cast<std::size_t>((i * nj + j) * nk + k)]);
      }
    }
  }
  return volume;
}

inline const std::vector<VectorPair>& vector_pairs() {
  static const std::vector<VectorPair> pairs = [] {
    const TensorFile masks(vectors_directory() / "masks.safetensors");
    const Json expected = read_json(vectors_directory() / "expected.json");
    std::vector<VectorPair> made;
    for (const Json& each : expected["pairs"]) {
      const std::string name = each["pair"];
      const TensorView *prediction = masks.find(name + "/pred"),
                       *truth = masks.find(name + "/truth");
      std::array<std::int64_t, 3> shape{};
      std::copy_n(truth->shape.begin(), 3, shape.begin());
      std::array<double, 3> spacing{};
      for (std::size_t axis = 0; axis < 3; ++axis) {
        spacing[axis] =
            static_cast<double>(static_cast<float>(each["spacing_mm"][axis].get<double>()));
      }
      made.push_back({each, data::to_depth_first(shape), data::to_depth_first(spacing),
                      as_volume(*prediction), as_volume(*truth)});
    }
    return made;
  }();
  return pairs;
}

}  // namespace lacuna::evaluation
