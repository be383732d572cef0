#include "methods/ccsd/subset_features.h"

#include <ATen/ATen.h>

#include "methods/shared/missing_features.h"
#include "models/image_rows.h"

namespace lacuna::methods::ccsd {

using data::SubsetMask;

std::int64_t Rows::at(std::int64_t sample, SubsetMask set) {
  for (std::size_t i = 0; i < sets_.size(); ++i) {
    if (samples_[i] == sample && sets_[i] == set) return static_cast<std::int64_t>(i);
  }
  samples_.push_back(sample);
  sets_.push_back(set);
  return size() - 1;
}

SubsetFeatures::SubsetFeatures(const models::SharedSpecificNetwork& network,
                               const at::Tensor& image, const std::vector<SubsetMask>& available,
                               Fill fill)
    : network_(network), fill_(fill), image_(image) {
  const models::ImageRows rows(image, available, /*zero_image=*/true);
  models::EncoderOutput out = network.encoder().forward(rows.images());
  rows.settle({&out.bottleneck, &out.skips[0], &out.skips[1], &out.skips[2], &out.skips[3]});
  shared_ = rows.by_sample(out.bottleneck);
  zero_ = rows.zero_image(out.bottleneck);
  for (std::size_t level = 0; level < skips_.size(); ++level) {
    skips_[level] = rows.by_sample(out.skips[level]);
    zero_skips_[level] = rows.zero_image(out.skips[level]);
  }
  const auto own = network.encode_private(image, available, /*classify_missing=*/false);
  own_ = own.bottleneck;
  domains_ = own.domains;
  fused_ = network.fuse(shared_, own_);
}

// absent: 1 x C x ..., or R x M x C x ... .
at::Tensor SubsetFeatures::chosen(const at::Tensor& present, const at::Tensor& absent,
                                  const Rows& rows) const {
  const at::Tensor samples = at::tensor(rows.samples(), at::kLong).to(present.device());
  const at::Tensor each = present.index_select(0, samples);
  at::Tensor here = presence(rows.sets(), static_cast<int>(present.size(1)), present.device());
  while (here.dim() < each.dim()) here = here.unsqueeze(-1);
  return at::where(here, each, absent.dim() == each.dim() ? absent : absent.unsqueeze(1));
}

at::Tensor SubsetFeatures::slots(const Rows& rows) const {
  if (fill_ == Fill::kZeroShared) return chosen(fused_, zero_, rows);
  const at::Tensor samples = at::tensor(rows.samples(), at::kLong).to(shared_.device());
  const at::Tensor lenders = shared_.index_select(0, samples);
  return chosen(fused_,
                fill_ == Fill::kMean
                    ? fill_with_mean(lenders, rows.sets())
                    : fill_with_donor(lenders, rows.sets(), first_available(rows.sets())),
                rows);
}

at::Tensor SubsetFeatures::skip(int level, const Rows& rows) const {
  const auto i = static_cast<std::size_t>(level);
  return chosen(skips_[i], zero_skips_[i], rows);
}

at::Tensor SubsetFeatures::logits(const Rows& rows) const {
  std::array<at::Tensor, 4> skips;
  for (int level = 0; level < 4; ++level)
    skips[static_cast<std::size_t>(level)] = skip(level, rows);
  return network_.decode(slots(rows), skips);
}

at::Tensor SubsetFeatures::distilled(const Rows& rows, Distilled kind) const {
  switch (kind) {
    case Distilled::kLogits:
      return logits(rows);
    case Distilled::kConcat:
      return slots(rows).flatten(1, 2);
    case Distilled::kShared:
      return chosen(shared_, zero_, rows).flatten(1, 2);
    case Distilled::kPrivate: {
      // Each private encoder's own view of a zero image.
      std::vector<at::Tensor> zeros;
      const at::Tensor zero = at::zeros_like(image_.narrow(0, 0, 1).narrow(1, 0, 1));
      for (int m = 0; m < own_.size(1); ++m) {
        zeros.push_back(network_.private_encoder(m).forward(zero).bottleneck);
      }
      std::vector<std::int64_t> shape = own_.sizes().vec();
      shape[0] = rows.size();
      return chosen(own_, at::stack(zeros, 1).expand(shape), rows).flatten(1, 2);
    }
    case Distilled::kStage3:
      break;
  }
  const models::ResidualDecoder& decoder = network_.decoder();
  return decoder.stage(3, slots(rows).flatten(1, 2),
                       decoder.shortcut(3, skip(3, rows).flatten(1, 2)));
}

}  // namespace lacuna::methods::ccsd
