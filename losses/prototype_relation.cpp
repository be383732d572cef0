#include "losses/prototype_relation.h"

#include <ATen/ATen.h>

#include "losses/precise.h"

namespace lacuna::losses {
namespace {

constexpr double kLeastNorm = 1e-8;  // as PyTorch's cosine similarity has it

at::Tensor cosines(const at::Tensor& prototypes) {
  const at::Tensor rows = prototypes.flatten(0, 1);
  const at::Tensor unit = rows / rows.norm(2, 1, /*keepdim=*/true).clamp_min(kLeastNorm);
  return at::matmul(unit, unit.t());
}

}  // namespace

at::Tensor class_cells(const at::Tensor& one_hot, at::IntArrayRef extent, bool area) {
  if (area) return at::adaptive_avg_pool3d(one_hot, extent);
  at::Tensor cells = one_hot;
  for (std::int64_t axis = 0; axis < 3; ++axis) {
    const std::int64_t size = one_hot.size(axis + 2);
    cells = cells.slice(axis + 2, 0, size, size / extent[static_cast<std::size_t>(axis)]);
  }
  return cells;
}

at::Tensor class_prototypes(const at::Tensor& features, const at::Tensor& cells) {
  const at::Tensor x = precise(features);
  const PreciseProducts guard(x);
  const at::Tensor of_class = cells.to(x.scalar_type()).flatten(2);  // N x C x cells
  const at::Tensor counts = of_class.sum(2, /*keepdim=*/true);
  return at::matmul(of_class, x.flatten(2).transpose(1, 2)) / (counts + (counts == 0));
}

at::Tensor classes_present(const at::Tensor& cells) {
  return (cells.flatten(2).sum(2) > 0).to(cells.scalar_type());
}

at::Tensor class_entropy(const at::Tensor& logits) {
  const at::Tensor p = precise(logits.detach()).log_softmax(1);
  return -(p.exp() * p).flatten(2).sum(2);
}

at::Tensor relation_distances(const at::Tensor& first, const at::Tensor& second,
                              const at::Tensor& present) {
  const PreciseProducts guard(first);
  const at::Tensor there = present.flatten().to(first.scalar_type());
  const at::Tensor squares = (cosines(first) - cosines(second)).square();
  return ((squares * there).sum(1) * there).view(present.sizes());
}

at::Tensor prototype_relation(const at::Tensor& first, const at::Tensor& second,
                              const at::Tensor& weights, const at::Tensor& present,
                              bool normalise) {
  const at::Tensor own = weights.detach().to(first.scalar_type()) * present;
  const at::Tensor sum = (relation_distances(first, second, present) * own).sum();
  return normalise ? sum / own.sum().clamp_min(1e-30) : sum;
}

}  // namespace lacuna::losses
