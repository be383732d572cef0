#include "worker/state/tensor_pack.h"

#include <ATen/ATen.h>

#include "base/error.h"

namespace lacuna::worker {
namespace {

constexpr std::int64_t kAlignment = 64;

std::int64_t room_for(const at::Tensor& tensor) {
  const auto bytes = static_cast<std::int64_t>(tensor.nbytes());
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

void copy_all(const NamedTensors& from, const NamedTensors& to) {
  const at::NoGradGuard no_grad;
  if (from.size() != to.size()) {
    throw_error<Error>("{} tensors cannot be copied to {}", from.size(), to.size());
  }
  for (std::size_t i = 0; i < from.size(); ++i) {
    at::Tensor target = to[i].second.detach();
    target.copy_(from[i].second.detach());
  }
}

}  // namespace

TensorPack::TensorPack(const NamedTensors& live) {
  std::int64_t total = 0;
  for (const auto& [name, tensor] : live) total += room_for(tensor);
  memory_ = at::zeros({total}, at::kByte);
  std::int64_t offset = 0;
  for (const auto& [name, tensor] : live) {
    const at::Tensor place = memory_.narrow(0, offset, static_cast<std::int64_t>(tensor.nbytes()));
    views_.emplace_back(name, place.view(tensor.scalar_type()).view(tensor.sizes()));
    offset += room_for(tensor);
  }
}

void TensorPack::take(const NamedTensors& live) { copy_all(live, views_); }

void TensorPack::put(const NamedTensors& live) const { copy_all(views_, live); }

std::span<std::byte> TensorPack::bytes() const {
  if (!memory_.defined()) return {};
  return {static_cast<std::byte*>(memory_.data_ptr()), memory_.nbytes()};
}

}  // namespace lacuna::worker
