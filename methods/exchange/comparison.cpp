#include "methods/exchange/comparison.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <fmt/ranges.h>
#include <torch/utils.h>

#include "base/error.h"
#include "methods/exchange/fill.h"

namespace lacuna::methods {

void fill_weights(Method& method, std::uint64_t seed) {
  const torch::NoGradGuard no_grad;
  const auto exceptions = method.fill_exceptions();
  const auto fill_one = [&](const std::string& name, at::Tensor tensor) {
    const auto exception = exceptions.find(name);
    tensor.copy_(exception == exceptions.end()
                     ? fill(name, tensor.sizes(), seed)
                     : at::tensor(exception->second, at::kDouble).view(tensor.sizes()));
  };
  for (const auto& item : method.module().named_parameters()) fill_one(item.key(), item.value());
  for (const auto& item : method.module().named_buffers()) fill_one(item.key(), item.value());
  method.invalidate_evaluation_cache();
}

at::Tensor from_published_channels(const Method& method, const at::Tensor& image) {
  const std::vector<int> published = method.published_channels();
  if (published.empty()) return image;
  std::vector<at::Tensor> channels(published.size());
  for (std::size_t i = 0; i < published.size(); ++i) {
    channels.at(static_cast<std::size_t>(published[i])) =
        image.narrow(1, static_cast<std::int64_t>(i), 1);
  }
  return at::cat(channels, 1);
}

Comparison compare_phase(Method& method, const std::string& phase, const Batch& batch,
                         const Progress& progress) {
  std::vector<std::string> phases;
  for (const Stage& stage : method.stages(progress.steps)) {
    for (const Phase& each : stage.phases) phases.push_back(each.name);
  }
  if (std::find(phases.begin(), phases.end(), phase) == phases.end()) {
    std::sort(phases.begin(), phases.end());
    phases.erase(std::unique(phases.begin(), phases.end()), phases.end());
    throw_error<ConfigError>("phase \"{}\" is unknown; this method has: {}", phase,
                             fmt::join(phases, ", "));
  }
  for (auto& parameter : method.module().parameters()) {
    parameter.set_requires_grad(true);
    parameter.mutable_grad() = at::Tensor();
  }
  const Loss loss = method.loss(phase, batch, progress);
  loss.total.backward();

  Comparison result;
  result.output = loss.output;
  for (const auto& [name, value] : loss.parts) {
    result.losses.emplace_back(name, value.item<double>());
  }
  result.losses.emplace_back("total", loss.total.item<double>());
  for (const auto& item : method.module().named_parameters()) {
    const at::Tensor& gradient = item.value().grad();
    result.gradients.emplace_back(
        item.key(), gradient.defined()
                        ? std::optional(gradient.to(at::kDouble).norm().item<double>())
                        : std::nullopt);
  }
  return result;
}

}  // namespace lacuna::methods
