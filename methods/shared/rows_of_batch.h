// What a loss needs of every sample of a batch that ranks share (prototypes, weights), and sums
// over its voxels, in one exchange: a gather is the sum of tensors that are 0 outside the own rows.
#pragma once

#include <vector>

#include "methods/method.h"

namespace lacuna::methods {

// N x width -> Batch::whole x width: each sample's row at its place in the global batch, 0
// elsewhere.
at::Tensor placed_rows(const Batch& batch, const at::Tensor& rows);

class RowsOfBatch {
 public:
  // sums: any shape, added up over ranks; rows: N x ... each, of one type. Without `shared`, or
  // with a rank alone, what is given. With ranks: a row for each sample of the global batch, 0 for
  // those that are not computed at this time. Collective where Batch::over_ranks is.
  RowsOfBatch(const Batch& batch, bool shared, const at::Tensor& sums,
              const std::vector<at::Tensor>& rows);

  const at::Tensor& sums() const { return sums_; }
  const at::Tensor& rows(std::size_t i) const { return rows_[i]; }
  at::Tensor count() const { return count_; }  // of samples that are computed at this time

 private:
  at::Tensor sums_, count_;
  std::vector<at::Tensor> rows_;
};

}  // namespace lacuna::methods
