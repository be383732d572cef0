// Two networks shall see the classes of a batch in the same relations to each other (SMML, AAAI
// 2025, "feature-level relational consistency").
//
//   p_i^{b,c}  mean of network i's features over the cells of class c in sample b
//   R_i        cosines between all prototypes of the batch
//   D^{b,c}  = sum over b', c' of (R_1 - R_2)^2
//   L        = sum over b, c of D W / sum over b, c of W,   W: the entropy that class c contributes
//              to the predictions of sample b, without gradient
//
// A class that a sample has no cell of has neither row nor column. Pure functions; computed in
// float, or double where the features are.
#pragma once

#include <ATen/core/Tensor.h>

namespace lacuna::losses {

// one_hot: N x C x D x H x W -> N x C x d x h x w, an extent that divides that of one_hot: the
// class of each cell's first voxel, or with `area` the shares of the classes in the cell.
at::Tensor class_cells(const at::Tensor& one_hot, at::IntArrayRef extent, bool area = false);

// features: N x K x d x h x w; cells: N x C x d x h x w -> N x C x K; 0 for a class without cells.
at::Tensor class_prototypes(const at::Tensor& features, const at::Tensor& cells);

// N x C: whether the sample has a cell of the class, 1 or 0.
at::Tensor classes_present(const at::Tensor& cells);

// logits: N x C x D x H x W -> N x C: -sum over voxels of p log p.
at::Tensor class_entropy(const at::Tensor& logits);

// first, second: B x C x K; present: B x C -> D, B x C, 0 for what is not present.
at::Tensor relation_distances(const at::Tensor& first, const at::Tensor& second,
                              const at::Tensor& present);

// weights: B x C. normalise: divided by their sum, as above.
at::Tensor prototype_relation(const at::Tensor& first, const at::Tensor& second,
                              const at::Tensor& weights, const at::Tensor& present,
                              bool normalise = true);

}  // namespace lacuna::losses
