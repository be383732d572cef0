// DeMoSeg's network: a U-Net with five poolings whose first level has a branch per modality and
// whose every level re-orders its channels. Names are those of the published state_dict.
//
//   CB(x)    = LeakyReLU(IN(conv 3x3x3 (x)))
//   Sort(x)  u = LeakyReLU(IN without scale(conv(x))), o = order of sigmoid(W2 LeakyReLU(W1 mean
//   u))
//            LeakyReLU(IN(u + u_o)): only the ORDER of the gate is used, it has no gradient
//   level 1  a_m = CB(x_m), b_m = Sort(a_m); quarter r of b_m speaks for modality m XOR r, and slot
//            j of the output is the quarter r of b_{j XOR r} with the smallest r that is there
//   level l  Sort(CB(x), stride 2);   decoder: Sort(CB([up-sampled, skip])), logits at each level
//
// Widths 32, 64, 128, 256, 320, 320: 31,527,192 parameters for 4 modalities and 4 classes. With M
// modalities there are Q slots, the least power of two that holds M, and base channels are a
// multiple of 8 and of Q. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "data/types/modality.h"
#include "models/biased_conv.h"
#include "models/instance_norm.h"

namespace lacuna::methods::demoseg {

// The order in which Sort takes channels.
enum class Sorting { kAscending, kDescending, kOff };

class ConvBlock : public torch::nn::Module {  // CB
 public:
  ConvBlock(std::int64_t in, std::int64_t out, std::int64_t stride = 1);

  at::Tensor forward(const at::Tensor& x) const;

 private:
  std::shared_ptr<models::BiasedConv> conv_;
  std::shared_ptr<models::InstanceNorm> norm_;
};

class SortBlock : public torch::nn::Module {
 public:
  SortBlock(std::int64_t channels, Sorting sorting);

  // taken: if not null, receives the order, N x C.
  at::Tensor forward(const at::Tensor& x, at::Tensor* taken = nullptr) const;

 private:
  struct Affine : torch::nn::Module {
    Affine(std::int64_t in, std::int64_t out);
    at::Tensor weight, bias;
  };
  Sorting sorting_;
  std::shared_ptr<models::BiasedConv> conv_;
  std::shared_ptr<Affine> squeeze_, excite_;
  std::shared_ptr<models::InstanceNorm> norm_;
};

// N x C of the channels of each sample in the order of `gate` (N x C), equal ones lower index
// first; u + u in that order.
at::Tensor channel_order(const at::Tensor& gate, Sorting sorting);
at::Tensor add_in_order(const at::Tensor& u, const at::Tensor& order);

// Slots 0 .. slots - 1: lender and quarter. present: bit j for position j.
struct Loan {
  int lender = 0, quarter = 0;
};
std::vector<Loan> loans(data::SubsetMask present, int slots);

// branches: b_m, N x C x ..., undefined where no sample has m; present: per sample. -> N x C x ...
at::Tensor lend(const std::vector<at::Tensor>& branches,
                const std::vector<data::SubsetMask>& present, int slots);

// Level 1 of each modality, undefined where no sample has it.
struct Branches {
  std::vector<at::Tensor> own, sorted;  // a_m, b_m
};

class Network : public torch::nn::Module {
 public:
  struct Shape {
    std::vector<std::string> modalities{"T1", "T1c", "T2", "FLAIR"};
    std::int64_t classes = 4;
    double width = 1;
    bool sort = true;
  };
  explicit Network(const Shape& shape);

  // image: N x M x D x H x W, multiples of 32. any: bit j where a sample has channel j; no other
  // image is looked at.
  Branches branches(const at::Tensor& image, data::SubsetMask any) const;
  // What lend() made of b -> logits, finest first, each half the extents of the one before; of the
  // finest level alone without `coarse`.
  std::vector<at::Tensor> trunk(const at::Tensor& slots, bool coarse) const;

  // Kaiming's normal rule for LeakyReLU for convolutions, PyTorch's default for the gates.
  void initialise();

  int slots() const { return slots_; }
  const SortBlock& sort_of(std::size_t modality) const { return *branches_.at(modality).sort; }

 private:
  struct Branch {
    std::shared_ptr<ConvBlock> conv;
    std::shared_ptr<SortBlock> sort;
  };
  struct Stage {
    std::shared_ptr<ConvBlock> conv;
    std::shared_ptr<SortBlock> sort;
    at::Tensor forward(const at::Tensor& x) const { return sort->forward(conv->forward(x)); }
  };
  Stage stage(torch::nn::Module& list, std::size_t place, std::int64_t in, std::int64_t out,
              std::int64_t stride, Sorting sorting);

  int slots_ = 4;
  std::vector<Branch> branches_;
  std::vector<Stage> down_, merge_;    // fine to coarse; coarse to fine
  std::vector<at::Tensor> up_, head_;  // weights, coarse to fine
};

}  // namespace lacuna::methods::demoseg
