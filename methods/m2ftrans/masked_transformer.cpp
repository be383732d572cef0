#include "methods/m2ftrans/masked_transformer.h"

#include <cmath>
#include <limits>
#include <string>

#include <ATen/ATen.h>

namespace lacuna::methods::m2ftrans {
namespace {

using models::dropped;
using models::ForwardMode;
using models::LayerNorm;
using models::Linear;

constexpr double kTokenNormEpsilon = 1e-5;

std::shared_ptr<torch::nn::Module> child(torch::nn::Module& owner, const std::string& name) {
  return owner.register_module(name, std::make_shared<torch::nn::Module>());
}

}  // namespace

MaskedTransformer::MaskedTransformer(const TransformerShape& shape)
    : shape_(shape), blocks_(static_cast<std::size_t>(shape.depth)) {
  const auto attentions = child(*this, "cross_attention_list");
  const auto mlps = child(*this, "cross_ffn_list");
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    Block& block = blocks_[i];
    const auto norm = [&] { return std::make_shared<LayerNorm>(shape.width, kTokenNormEpsilon); };
    const auto attention = child(*child(*attentions, std::to_string(i)), "fn");
    block.attention_norm = attention->register_module("norm", norm());
    const auto maps = child(*attention, "fn");
    block.qkv = maps->register_module(
        "qkv", std::make_shared<Linear>(shape.width, 3 * shape.width, /*with_bias=*/false));
    block.proj = maps->register_module("proj", std::make_shared<Linear>(shape.width, shape.width));
    const auto mlp = child(*child(*mlps, std::to_string(i)), "fn");
    block.mlp_norm = mlp->register_module("norm", norm());
    const auto net = child(*child(*mlp, "fn"), "net");
    block.first = net->register_module("0", std::make_shared<Linear>(shape.width, shape.hidden));
    block.second = net->register_module("3", std::make_shared<Linear>(shape.hidden, shape.width));
  }
}

at::Tensor MaskedTransformer::heads_of(const Block& block, const at::Tensor& x) const {
  const at::Tensor qkv = block.qkv->forward(block.attention_norm->forward(x));
  return qkv.unflatten(-1, {3, shape_.heads, shape_.width / shape_.heads})
      .movedim(-3, 0)
      .transpose(-2, -3);
}

at::Tensor MaskedTransformer::weights(const at::Tensor& query, const at::Tensor& key,
                                      const at::Tensor& forbidden, const ForwardMode& mode) const {
  const double head = static_cast<double>(shape_.width) / static_cast<double>(shape_.heads);
  at::Tensor scores = at::matmul(query, key.transpose(-1, -2)) / std::sqrt(head);
  if (forbidden.defined()) {
    scores = scores.masked_fill(forbidden, -std::numeric_limits<double>::infinity());
  }
  return dropped(scores.softmax(-1), shape_.dropout, mode);
}

at::Tensor MaskedTransformer::leave(const Block& block, const at::Tensor& x,
                                    const at::Tensor& mixed, const ForwardMode& mode) const {
  const at::Tensor joined = mixed.transpose(-2, -3).flatten(-2);
  const at::Tensor out = dropped(block.proj->forward(joined), shape_.dropout, mode);
  const at::Tensor y = x + dropped(out, shape_.dropout, mode);  // the published block drops twice
  const at::Tensor hidden = at::gelu(block.first->forward(block.mlp_norm->forward(y)));
  const at::Tensor wide = block.second->forward(dropped(hidden, shape_.dropout, mode));
  return y + dropped(wide, shape_.dropout, mode);
}

MaskedTransformer::Modalities MaskedTransformer::modalities(const at::Tensor& tokens,
                                                            const ForwardMode& mode) const {
  Modalities out{tokens, {}};
  for (const Block& block : blocks_) {
    const at::Tensor qkv = heads_of(block, out.tokens);
    out.seen.push_back({qkv[1], qkv[2]});
    const at::Tensor seen = weights(qkv[0], qkv[1], {}, mode);
    out.tokens = leave(block, out.tokens, at::matmul(seen, qkv[2]), mode);
  }
  return out;
}

MaskedTransformer::Fusion MaskedTransformer::fuse(const at::Tensor& tokens,
                                                  const std::vector<Seen>& seen,
                                                  const at::Tensor& mask,
                                                  const ForwardMode& mode) const {
  Fusion out{tokens, {}};
  const std::int64_t places = tokens.size(1);
  at::Tensor forbidden;
  if (mask.defined()) {  // N x 1 x 1 x (P + M P)
    const at::Tensor own = at::zeros({mask.size(0), places}, mask.options().dtype(at::kBool));
    forbidden =
        at::cat({own, (mask == 0).repeat_interleave(places, 1)}, 1).unsqueeze(1).unsqueeze(1);
  }
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    const at::Tensor qkv = heads_of(blocks_[i], out.tokens);
    // N x M x heads x P x head -> N x heads x (M P) x head
    const auto columns = [](const at::Tensor& own, const at::Tensor& others) {
      return at::cat({own, others.transpose(1, 2).flatten(2, 3).to(own.scalar_type())}, 2);
    };
    const at::Tensor attention = weights(qkv[0], columns(qkv[1], seen[i].key), forbidden, mode);
    if (i == 0) out.attention = attention.detach();
    out.tokens =
        leave(blocks_[i], out.tokens, at::matmul(attention, columns(qkv[2], seen[i].value)), mode);
  }
  return out;
}

}  // namespace lacuna::methods::m2ftrans
