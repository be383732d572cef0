#include "worker/setup/device_batch.h"

#include <gtest/gtest.h>

#include "tests/data/toy_cohort.h"

namespace lacuna::worker {
namespace {

// The toy cases lack a modality, the subsets of the batch another.
TEST(DeviceBatch, CarriesWhatTheLoaderSays) {
  const data::ToyCohort toy(3);
  data::LoaderOptions options;
  options.cases = {0, 1, 2};
  options.batch = 3;
  options.recipe.patch = {8, 10, 12};
  options.recipe.axes = {1, 2, 0};
  options.recipe.draws = 2;
  options.subsets = {{"policy", "fixed"}, {"subset", "T1"}};
  data::Loader loader(toy.cohort(), options);
  const DeviceBatch device(loader, {});
  const methods::Batch& batch = device.batch();
  EXPECT_EQ(batch.image.sizes(), (std::vector<std::int64_t>{3, 4, 10, 12, 8}));
  EXPECT_EQ(batch.label.sizes(), (std::vector<std::int64_t>{3, 10, 12, 8}));
  EXPECT_EQ(batch.subsets, (std::vector<std::vector<data::SubsetMask>>(2, {0b10, 0b10, 0b10})));
  EXPECT_EQ(batch.available, std::vector<data::SubsetMask>(3, toy.cohort().cases[0].available));
  EXPECT_EQ(batch.sample_index, (std::vector<std::uint64_t>{0, 1, 2}));
  EXPECT_EQ(batch.origin.size(), 3u);
}

}  // namespace
}  // namespace lacuna::worker
