#include "methods/pmkl/embeddings.h"

#include <ATen/ATen.h>

#include "losses/privileged_distillation.h"
#include "methods/pmkl/network.h"
#include "methods/shared/rows_of_batch.h"

namespace lacuna::methods::pmkl {

at::Tensor embedding_rows(const at::Tensor& student, const at::Tensor& teacher,
                          const at::Tensor& complete, const Batch& batch, bool local) {
  const std::int64_t samples = student.size(0);
  at::Tensor own = at::cat({student, teacher, at::ones({samples, 1}, student.options())}, 1);
  if (complete.defined()) own = own * complete.to(own.scalar_type()).view({-1, 1});
  if (local || !batch.over_ranks || batch.whole == 0) return own;
  return placed_rows(batch, own);
}

at::Tensor contrast_of_rows(const at::Tensor& rows, double epsilon) {
  const at::Tensor table = rows.view({-1, 2 * kEmbedding + 1});
  const at::Tensor there = table.select(1, 2 * kEmbedding).detach().nonzero().flatten();
  if (there.numel() == 0) return rows.sum() * 0;
  const at::Tensor pairs = table.index_select(0, there);
  return losses::pair_contrast(pairs.narrow(1, 0, kEmbedding),
                               pairs.narrow(1, kEmbedding, kEmbedding), epsilon);
}

}  // namespace lacuna::methods::pmkl
