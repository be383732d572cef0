// One network of ACN: a Myronenko U-Net, the branch of a variational auto-encoder on its bottleneck
// and a regressor for the transfer of information. 9,630,136 parameters at width 1 with 4 inputs of
// 160x192x128 voxels. Names are those of the published state_dict. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include "models/myronenko_unet.h"

namespace lacuna::methods::acn {

// Rebuilds the image from the bottleneck, after dropout: h = pool(conv(ReLU(GN(c4d)))),
// mu and log variance from the halves of h, z = mu + exp(logvar / 2) noise, a dense layer to an
// eighth of an eighth of the extent, four up-samplings. Published, but in no loss.
class VaeBranch : public torch::nn::Module {
 public:
  // extent: of the image, multiples of 16.
  VaeBranch(std::int64_t base, std::int64_t image_channels,
            const std::array<std::int64_t, 3>& extent);

  struct Output {
    at::Tensor image;       // N x image_channels x extent
    at::Tensor mu, logvar;  // N x 2b
  };
  // noise: N x 2b, or undefined for none.
  Output forward(const at::Tensor& c4d, const at::Tensor& noise) const;

 private:
  using Conv = std::shared_ptr<models::BiasedConv>;
  struct Affine : torch::nn::Module {
    explicit Affine(std::vector<std::int64_t> weight_shape);
    at::Tensor weight, bias;
  };
  struct Up {
    Conv conv;
    std::shared_ptr<models::PreActivationBlock> refine;  // null at the coarsest level
  };

  std::int64_t latent_;
  std::array<std::int64_t, 3> coarse_;
  std::shared_ptr<Affine> norm_, mu_, logvar_, dense_;
  Conv hidden_, last_;
  std::array<Up, 4> up_;  // in the order in which they are applied
};

// mean of q(target | features): three 1x1x1 convolutions without bias and ReLU between them; the
// scale of the variance is a parameter per channel, losses/adversarial.h.
class InformationRegressor : public torch::nn::Module {
 public:
  explicit InformationRegressor(std::int64_t channels);

  at::Tensor forward(const at::Tensor& features) const;
  void initialise_scale();  // so that the variance is 5

  at::Tensor log_scale;

 private:
  std::array<at::Tensor, 3> weights_;
};

struct Output {
  at::Tensor logit;     // N x 4 x D x H x W
  at::Tensor features;  // df: N x 8b x D/8 x H/8 x W/8, before dropout
  at::Tensor dropped;   // the same after it: what decoder and auto-encoder see
};

class Network : public torch::nn::Module {
 public:
  Network(std::int64_t in, double width, const std::array<std::int64_t, 3>& extent);

  Output forward(const at::Tensor& x, const models::ForwardMode& mode) const;
  void initialise();  // PyTorch's default weights

  std::int64_t feature_channels() const { return unet_->content_channels(); }
  const VaeBranch& vae() const { return *vae_; }
  const InformationRegressor& regressor() const { return *regressor_; }

 private:
  std::shared_ptr<models::MyronenkoUnet> unet_;
  std::shared_ptr<VaeBranch> vae_;
  std::shared_ptr<InformationRegressor> regressor_;
};

}  // namespace lacuna::methods::acn
