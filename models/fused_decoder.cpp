#include "models/fused_decoder.h"

#include <algorithm>
#include <string>

#include <ATen/ATen.h>

namespace lacuna::models {

FusedDecoder::FusedDecoder(const std::vector<std::int64_t>& channels, std::int64_t modalities,
                           int classes, const UnitStyle& style)
    : TrunkDecoder(channels, style), deep_(channels.size() - 1), fusion_(channels.size()) {
  for (std::size_t level = deep_.size(); level > 0; --level) {
    deep_[level - 1] =
        register_module("seg_d" + std::to_string(level), plain_conv(channels[level], classes));
  }
  classify_ = register_module("seg_layer", plain_conv(channels.front(), classes));
  for (std::size_t level = channels.size(); level > 0; --level) {
    fusion_[level - 1] =
        register_module("RFM" + std::to_string(level),
                        std::make_shared<ModalityFusion>(modalities, channels[level - 1], style));
  }
}

FusedDecoder::Output FusedDecoder::forward(const at::Tensor& bottleneck,
                                           const std::vector<at::Tensor>& sums, bool deep) const {
  Output out;
  at::Tensor x = fusion_.back()->forward(bottleneck);
  for (int level = levels(); level > 0; --level) {
    const auto at = static_cast<std::size_t>(level) - 1;
    if (deep) out.deep.insert(out.deep.begin(), deep_[at]->forward(x));
    const at::Tensor up = enter(level, x);
    x = leave(level, at::cat({fusion_[at]->from_shares(sums[at]), up}, 1));
  }
  out.logits = classify_->forward(x);
  return out;
}

at::Tensor kept_where(const at::Tensor& x, const at::Tensor& mask, std::size_t modality) {
  if (!mask.defined()) return x;
  std::vector<std::int64_t> view(static_cast<std::size_t>(x.dim()), 1);
  view[0] = -1;
  return x * mask.select(1, static_cast<std::int64_t>(modality)).to(x.scalar_type()).view(view);
}

GatheredModalities gather(const std::vector<Contribution>& given, const at::Tensor& mask) {
  const auto some = std::find_if(given.begin(), given.end(),
                                 [](const Contribution& each) { return each.tokens.defined(); });
  GatheredModalities all;
  all.sums.resize(some->shares.size());
  for (std::size_t m = 0; m < given.size(); ++m) {
    all.tokens.push_back(given[m].tokens.defined() ? kept_where(given[m].tokens, mask, m)
                                                   : at::zeros_like(some->tokens));
    for (std::size_t level = 0; level < given[m].shares.size(); ++level) {
      const bool masked = level > 0 || !given[m].keeps_finest;
      const at::Tensor share = kept_where(given[m].shares[level], masked ? mask : at::Tensor(), m);
      all.sums[level] = all.sums[level].defined() ? all.sums[level] + share : share;
    }
  }
  return all;
}

std::vector<at::Tensor> listed(const std::vector<Contribution>& all) {
  std::vector<at::Tensor> list;
  for (const Contribution& each : all) {
    list.insert(list.end(), each.shares.begin(), each.shares.end());
    list.push_back(each.tokens);
  }
  return list;
}

std::vector<Contribution> unlisted(const std::vector<at::Tensor>& list,
                                   const std::vector<bool>& present) {
  const auto each = static_cast<std::ptrdiff_t>(list.size() / present.size());
  std::vector<Contribution> all(present.size());
  for (std::size_t m = 0; m < all.size(); ++m) {
    if (!present[m]) continue;
    const auto begin = list.begin() + static_cast<std::ptrdiff_t>(m) * each;
    all[m].shares.assign(begin, begin + each - 1);
    all[m].tokens = begin[each - 1];
  }
  return all;
}

}  // namespace lacuna::models
