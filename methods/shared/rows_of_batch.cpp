#include "methods/shared/rows_of_batch.h"

#include <ATen/ATen.h>

namespace lacuna::methods {

at::Tensor placed_rows(const Batch& batch, const at::Tensor& rows) {
  std::vector<std::int64_t> places;
  for (const std::uint64_t index : batch.sample_index) {
    places.push_back(static_cast<std::int64_t>(index % static_cast<std::uint64_t>(batch.whole)));
  }
  return at::zeros({batch.whole, rows.size(1)}, rows.options())
      .index_copy(0, at::tensor(places, at::kLong).to(rows.device()), rows);
}

RowsOfBatch::RowsOfBatch(const Batch& batch, bool shared, const at::Tensor& sums,
                         const std::vector<at::Tensor>& rows)
    : sums_(sums), rows_(rows) {
  const std::int64_t samples = batch.image.size(0);
  count_ = at::full({}, samples, sums.options());
  if (!shared || !batch.over_ranks) return;
  std::vector<at::Tensor> own{sums.flatten(), count_.view(1)};
  for (const at::Tensor& each : rows) {
    own.push_back(placed_rows(batch, each.flatten(1)).flatten());
  }
  const at::Tensor all = batch.over_ranks(at::cat(own));
  std::int64_t begin = 0;
  const auto next = [&](std::vector<std::int64_t> shape) {
    std::int64_t count = 1;
    for (const std::int64_t extent : shape) count *= extent;
    begin += count;
    return all.narrow(0, begin - count, count).view(shape);
  };
  sums_ = next(sums.sizes().vec());
  count_ = next({});
  for (at::Tensor& each : rows_) {
    std::vector<std::int64_t> shape = each.sizes().vec();
    shape[0] = batch.whole;
    each = next(shape);
  }
}

}  // namespace lacuna::methods
