#include "methods/shared/availability.h"

#include <ATen/ATen.h>

namespace lacuna::methods {
namespace {

template <typename T>
std::vector<T> picked(const std::vector<T>& all, const std::vector<std::int64_t>& samples) {
  std::vector<T> result;
  if (all.empty()) return result;
  for (const std::int64_t n : samples) result.push_back(all[static_cast<std::size_t>(n)]);
  return result;
}

}  // namespace

std::vector<SubsetMask> available_of(const Batch& batch) {
  if (!batch.available.empty()) return batch.available;
  const SubsetMask full = (SubsetMask{1} << batch.image.size(1)) - 1;
  return std::vector<SubsetMask>(static_cast<std::size_t>(batch.image.size(0)), full);
}

std::vector<std::int64_t> complete_samples(const Batch& batch) {
  std::vector<std::int64_t> result;
  const auto modalities = static_cast<int>(batch.image.size(1));
  std::int64_t n = 0;
  for (const SubsetMask available : available_of(batch)) {
    if (data::count(available) == modalities) result.push_back(n);
    ++n;
  }
  return result;
}

Batch samples_of(const Batch& batch, const std::vector<std::int64_t>& samples) {
  if (static_cast<std::int64_t>(samples.size()) == batch.image.size(0)) return batch;
  const at::Tensor rows = at::tensor(samples, at::kLong).to(batch.image.device());
  Batch part;
  part.image = batch.image.index_select(0, rows);
  part.label = batch.label.index_select(0, rows);
  for (const auto& draw : batch.subsets) part.subsets.push_back(picked(draw, samples));
  part.available = picked(batch.available, samples);
  part.sample_index = picked(batch.sample_index, samples);
  part.origin = picked(batch.origin, samples);
  for (const auto& [name, extra] : batch.extras) part.extras[name] = extra.index_select(0, rows);
  return part;
}

}  // namespace lacuna::methods
