#include "losses/gram.h"

#include <ATen/ATen.h>

#include "losses/precise.h"

namespace lacuna::losses {
namespace {

// Sum over i of measure(M_i^f, M_i^m, G_i).
template <typename Measure>
at::Tensor sum_over_pairs(const std::vector<at::Tensor>& teacher,
                          const std::vector<at::Tensor>& student, const Measure& measure) {
  at::Tensor sum;
  for (std::size_t i = 0; i < teacher.size(); ++i) {
    const std::size_t before = i == 0 ? teacher.size() - 1 : i - 1;
    const at::Tensor part =
        measure(gram(teacher[i], teacher[before]), gram(student[i], student[before]), teacher[i]);
    sum = sum.defined() ? sum + part : part;
  }
  return sum;
}

}  // namespace

at::Tensor gram(const at::Tensor& a, const at::Tensor& b) {
  const PreciseProducts products(a);
  const at::Tensor left = precise(a).flatten(2), right = precise(b).flatten(2);
  return at::matmul(left, right.transpose(1, 2)) / static_cast<double>(left.size(1) * left.size(2));
}

at::Tensor gram_matching(const std::vector<at::Tensor>& teacher,
                         const std::vector<at::Tensor>& student) {
  return sum_over_pairs(
      teacher, student, [](const at::Tensor& f, const at::Tensor& m, const at::Tensor& feature) {
        const auto plane = static_cast<double>(feature.size(2) * feature.size(3));
        const auto channels = static_cast<double>(f.size(1) * f.size(2));
        return (f - m).square().sum({1, 2}).mean() * (1e-4 / (4 * channels * plane * plane));
      });
}

at::Tensor mean_gram_matching(const std::vector<at::Tensor>& teacher,
                              const std::vector<at::Tensor>& student) {
  return sum_over_pairs(teacher, student,
                        [](const at::Tensor& f, const at::Tensor& m, const at::Tensor&) {
                          return at::mse_loss(f, m);
                        });
}

}  // namespace lacuna::losses
