// The network of ShaSpec and CCSD under the published names: the shared encoder and decoder, an
// encoder per modality (`flair_enc`, `t1_enc`, `t1ce_enc`, `t2_enc`), the convolution that merges
// shared and private features (`compos_layer`) and the classifier of modalities (`dom_classifier`).
// 187,708,132 parameters at width 1 with four modalities. Not thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/shared_network.h"
#include "models/weight_standardised_conv.h"

namespace lacuna::models {

struct SharedSpecificShape {
  bool classifier = true;
  std::int64_t compose_kernel = 3;  // of the convolution that merges: 3 or 1
};

class SharedSpecificNetwork : public SharedNetwork {
 public:
  SharedSpecificNetwork(const data::ModalitySet& modalities, int outputs, double width,
                        const SharedSpecificShape& shape = {});

  struct Private {
    at::Tensor bottleneck;  // N x M x C x d x h x w; 0 where a sample lacks the modality
    at::Tensor
        domains;  // N x M x M: logits of "which modality is this"; undefined without classifier
  };
  // Each modality through its own encoder. With `classify_missing` the classifier also sees the
  // zero images of missing ones, whose encoder then runs up to where the classifier reads; else
  // their rows of `domains` mean nothing.
  Private encode_private(const at::Tensor& image, const std::vector<data::SubsetMask>& subsets,
                         bool classify_missing) const;
  // fused = shared + conv(shared beside private). All N x M x C x d x h x w.
  at::Tensor fuse(const at::Tensor& shared, const at::Tensor& private_features) const;

  // Encoders and decoder as published, the other two with PyTorch's defaults.
  void initialise() override;

  ResidualEncoder& private_encoder(int modality) const {
    return *private_[static_cast<std::size_t>(modality)];
  }

 private:
  std::shared_ptr<WeightStandardisedConv> compose_;
  std::shared_ptr<torch::nn::Module> classifier_;  // or null
  at::Tensor classifier_weight_, classifier_bias_;
  std::vector<std::shared_ptr<ResidualEncoder>> private_;
};

// "T1c" -> "t1ce_enc"; letters in lower case, other characters than letters and digits as _.
std::string private_encoder_name(const std::string& modality);

}  // namespace lacuna::models
