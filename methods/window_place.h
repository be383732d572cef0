// For methods whose network depends on where in the volume its window lies (an image
// of the whole volume stands in for what is missing): evaluation asks a method that is one of these
// with the place, and every other one without.
#pragma once

#include <array>

#include "methods/method.h"

namespace lacuna::methods {

// Of a window of evaluation, in the network's axes.
struct WindowPlace {
  data::Extent corner{};           // voxels, in the full volume as Batch::origin
  data::Extent corner_in_box{};    // voxels, in what the windows tile: the brain box or the volume
  std::array<bool, 3> mirrored{};  // axes along which the window comes turned round
};

class PlacedWindows {
 public:
  virtual ~PlacedWindows() = default;

  // Method::encode() of a window there. encode(image) and forward() take it to lie in the corner.
  virtual Features encode_at(const at::Tensor& window, const WindowPlace& place) = 0;
};

inline Features encode_at(Method& method, const at::Tensor& window, const WindowPlace& place) {
  auto* placed = dynamic_cast<PlacedWindows*>(&method);
  return placed != nullptr ? placed->encode_at(window, place) : method.encode(window);
}

}  // namespace lacuna::methods
