// Embeddings of a batch on their way over ranks: each sample has a row of its own, so that the sum
// over ranks is all of them (Batch::over_ranks). Pure functions.
#pragma once

#include "methods/method.h"

namespace lacuna::methods::pmkl {

// student, teacher: N x E. complete: N, 0 where a sample has no pair; undefined: all have. -> rows
// x (2 E + 1): both and a one, zeros where this rank has no sample. Rows: those of the global
// batch, or with `local`, or alone, the N samples.
at::Tensor embedding_rows(const at::Tensor& student, const at::Tensor& teacher,
                          const at::Tensor& complete, const Batch& batch, bool local);

// rows: as above, flat, summed over ranks. The contrast of the samples that are there
// (losses/privileged_distillation.h); 0 without any.
at::Tensor contrast_of_rows(const at::Tensor& rows, double epsilon);

}  // namespace lacuna::methods::pmkl
