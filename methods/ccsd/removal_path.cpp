#include "methods/ccsd/removal_path.h"

#include <span>

#include <ATen/ATen.h>

#include "losses/precise.h"

namespace lacuna::methods::ccsd {
namespace {

using data::SubsetMask;

std::vector<int> members_of(SubsetMask set) {
  std::vector<int> members;
  for (int m = 0; set >> m != 0; ++m) {
    if (data::contains(set, m)) members.push_back(m);
  }
  return members;
}

std::vector<double> criticality(const at::Tensor& similarity, const std::vector<int>& members) {
  const auto c = similarity.accessor<double, 2>();
  std::vector<double> scores(static_cast<std::size_t>(similarity.size(0)), 0);
  for (const int a : members) {
    for (const int b : members) {
      if (a != b) scores[static_cast<std::size_t>(a)] -= c[a][b];
    }
  }
  return scores;
}

}  // namespace

at::Tensor similarities(const at::Tensor& features) {
  const losses::PreciseProducts products(features);
  const at::Tensor rows = features.detach().flatten(2).to(at::kDouble);
  const at::Tensor lengths = rows.norm(2, {2}, /*keepdim=*/true).clamp_min(1e-12);
  const at::Tensor unit = rows / lengths;
  return at::matmul(unit, unit.transpose(1, 2)).to(at::kCPU).contiguous();
}

std::vector<SubsetMask> removal_path(const at::Tensor& similarity, SubsetMask start,
                                     RemovalOrder order, bool dynamic, Stream random) {
  std::vector<int> members = members_of(start);
  std::vector<double> scores = criticality(similarity, members);
  if (order == RemovalOrder::kRandom) {
    // Any order of removal is as likely as any other.
    random.shuffle(std::span<int>(members));
    for (std::size_t i = 0; i < members.size(); ++i) {
      scores[static_cast<std::size_t>(members[i])] = static_cast<double>(i);
    }
    members = members_of(start);
    dynamic = false;
  }
  const double sign = order == RemovalOrder::kLeastCritical ? -1 : 1;
  std::vector<SubsetMask> path{start};
  while (members.size() > 1) {
    if (dynamic) scores = criticality(similarity, members);
    std::size_t removed = 0;
    const auto value = [&](std::size_t i) {
      return sign * scores[static_cast<std::size_t>(members[i])];
    };
    for (std::size_t i = 1; i < members.size(); ++i) {
      if (value(i) > value(removed)) removed = i;  // among equals the first, the lowest index
    }
    path.push_back(path.back() & ~(SubsetMask{1} << members[removed]));
    members.erase(members.begin() + static_cast<std::ptrdiff_t>(removed));
  }
  return path;
}

}  // namespace lacuna::methods::ccsd
