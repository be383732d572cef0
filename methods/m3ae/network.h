// M3AE's network: a Myronenko U-Net without dropout and an image of the whole volume that stands in
// for what is missing. Once for pre-training (it rebuilds the input), once for segmentation (three
// regions, heads of deep supervision). Names are those of the published state_dict.
//
// At width 1 with 4 modalities: 4,704,228 parameters to rebuild, 4,704,505 to segment, 35,712,000
// of the image. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "data/types/extent.h"
#include "models/myronenko_unet.h"

namespace lacuna::methods::m3ae {

inline constexpr std::int64_t kPatch = 16;  // voxels along an edge of a token

class Network : public torch::nn::Module {
 public:
  struct Shape {
    std::int64_t modalities = 4, out = 3;
    double width = 1;
    bool deep = false;
    data::Extent substitute{155, 240, 240};
  };
  explicit Network(const Shape& shape);

  // x: N x M x D x H x W without gaps. deep: the heads, up-sampled to the extent of x (training).
  models::MyronenkoOutput forward(const at::Tensor& x, bool deep = false) const;

  // The part of `image` (1 x M x its extent, limage) at `corner`: M x extent. Outside the image
  // stands its mean of the modality, without gradient.
  static at::Tensor cut(const at::Tensor& image, const data::Extent& corner,
                        const data::Extent& extent);

  // PyTorch's default weights, an image of N(0, 1).
  void initialise();

  at::Tensor limage;  // 1 x M x the substitute's extent

 private:
  std::shared_ptr<models::MyronenkoUnet> unet_;
};

// Tokens are cubes of kPatch^3 voxels of one modality: number ((m a' + a) b' + b) c' + c for patch
// (a, b, c) of modality m, with a' x b' x c' of them. kept: M a' b' c' values -> M x D x H x W.
at::Tensor voxels_of_tokens(const at::Tensor& kept, std::int64_t modalities,
                            const data::Extent& extent);

}  // namespace lacuna::methods::m3ae
