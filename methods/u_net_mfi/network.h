// The network of U-Net-MFI (Zhao, Yang, Sun, MICCAI 2022): a U-Net per modality whose features meet
// in modality-adaptive feature interactions on the way. Names are those of the published
// state_dict; its Relation2 to Relation4, which hold parameters and never run, are not there. Not
// thread-safe.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "models/biased_conv.h"
#include "models/linear.h"

namespace lacuna::methods::u_net_mfi {

inline constexpr std::size_t kLevels = 4;
inline constexpr std::int64_t kRegions = 3;       // WT, TC, ET
inline constexpr std::int64_t kNormChannels = 8;  // of a group

// x + conv(relu(norm(conv(relu(norm(x)))))), group norms of eight channels each. Children conv.0
// (norm), conv.2, conv.3 (norm), conv.5.
class ResidualBlock : public torch::nn::Module {
 public:
  explicit ResidualBlock(std::int64_t channels);
  at::Tensor forward(const at::Tensor& x) const;

 private:
  struct Norm;
  std::shared_ptr<Norm> norm1_, norm2_;
  std::shared_ptr<models::BiasedConv> conv1_, conv2_;
};

// Modality-adaptive feature interaction of c channels: with X_m the spatial mean of F_m and a_m 1
// where modality m is there, else 0,
//   u_ij = W2 lrelu(W1 [X_j, X_i, a_j ... a_j] + b1) + b2     (c numbers; a_j 2c times; slope 0.01)
//   w_ij = softmax over ALL j of u_ij, channel by channel
//   F_i <- F_i + sum_j w_ij F_j
class Interaction : public torch::nn::Module {
 public:
  explicit Interaction(std::int64_t channels);
  // features: M tensors N x c x D x H x W; there: N x M, 0 or 1.
  std::vector<at::Tensor> forward(const std::vector<at::Tensor>& features,
                                  const at::Tensor& there) const;

 private:
  std::shared_ptr<models::Linear> first_, second_;
};

// What a modality contributes whatever the others are: its first skip, and what the first
// interaction sees of it.
struct Early {
  at::Tensor skip, features;  // N x 32 x D x H x W; N x 64 x D/2 x H/2 x W/2
};

// Logits of WT, TC, ET at full resolution.
struct Outputs {
  // Per modality: deep supervision at a quarter and at half of the resolution (enlarged by the
  // nearest voxel), and the branch's own.
  std::vector<at::Tensor> quarter, half, branches;
  at::Tensor combined;
  at::Tensor mean() const;  // of the branches and the combined head: what inference averages
};

class Network : public torch::nn::Module {
 public:
  Network(std::size_t modalities, double width);

  // image: N x 1 x D x H x W of modality m, zeros where it is missing; multiples of 8.
  Early early(const at::Tensor& image, std::size_t m) const;
  // there: N x M. Without `deep` the outputs of deep supervision stay empty. interacted: if not
  // null, receives every modality's features after each interaction, in order.
  Outputs forward(const std::vector<Early>& early, const at::Tensor& there, bool deep,
                  std::vector<std::vector<at::Tensor>>* interacted = nullptr) const;

 private:
  struct Up {
    std::shared_ptr<models::BiasedConv> reduce;
    std::shared_ptr<models::UpConv> enlarge;
    at::Tensor forward(const at::Tensor& x, const at::Tensor& skip) const;
  };
  struct Branch {
    std::shared_ptr<models::BiasedConv> first, out;
    std::array<std::shared_ptr<ResidualBlock>, kLevels> encode;
    std::array<std::shared_ptr<models::BiasedConv>, kLevels - 1> down;
    std::array<Up, kLevels - 1> up;  // coarse first
    std::array<std::shared_ptr<ResidualBlock>, kLevels - 1> decode;
  };

  std::vector<std::shared_ptr<Interaction>> interactions_;  // diff1 .. diff5
  std::vector<Branch> branches_;
  std::shared_ptr<models::BiasedConv> combined_, quarter_, half_;
};

// Channels of a level, finest first: whole groups at any width.
std::int64_t level_channels(std::size_t level, double width);

}  // namespace lacuna::methods::u_net_mfi
