#include "methods/mst_kdnet/unetr_blocks.h"

namespace lacuna::methods::mst_kdnet {
namespace {

// nn.Sequential's element `index` wraps a convolution under the name "block".
template <typename Convolution>
std::shared_ptr<Convolution> wrapped(torch::nn::Module& sequence, const char* index,
                                     std::shared_ptr<Convolution> convolution) {
  return sequence.register_module(index, std::make_shared<torch::nn::Module>())
      ->register_module("block", std::move(convolution));
}

models::ConvShape three(std::int64_t in, std::int64_t out, std::int64_t stride = 1) {
  return {.in = in, .out = out, .kernel = 3, .stride = {stride, stride, stride}, .padding = 1};
}

}  // namespace

ConvBatchNorm::ConvBatchNorm(std::int64_t in, std::int64_t out, std::int64_t stride) {
  const auto sequence = register_module("block", std::make_shared<torch::nn::Module>());
  conv_ = wrapped(*sequence, "0", std::make_shared<models::BiasedConv>(three(in, out, stride)));
  norm_ = sequence->register_module("1", std::make_shared<models::BatchNorm>(out));
}

at::Tensor ConvBatchNorm::forward(const at::Tensor& x, const models::ForwardMode& mode) const {
  return norm_->forward(conv_->forward(x), mode);
}

UpConvBatchNorm::UpConvBatchNorm(std::int64_t in, std::int64_t out) {
  const auto sequence = register_module("block", std::make_shared<torch::nn::Module>());
  up_ = wrapped(*sequence, "0", std::make_shared<models::UpConv>(in, out));
  conv_ = wrapped(*sequence, "1", std::make_shared<models::BiasedConv>(three(out, out)));
  norm_ = sequence->register_module("2", std::make_shared<models::BatchNorm>(out));
}

at::Tensor UpConvBatchNorm::forward(const at::Tensor& x, const models::ForwardMode& mode) const {
  return norm_->forward(conv_->forward(up_->forward(x)), mode);
}

}  // namespace lacuna::methods::mst_kdnet
