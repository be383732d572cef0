#include "data/sampling/loader.h"

#include <algorithm>
#include <new>
#include <set>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "data/augment/augmentation.h"
#include "tests/data/toy_cohort.h"

namespace lacuna::data {
namespace {

using ::testing::HasSubstr;

LoaderOptions options_for(int cases) {
  LoaderOptions options;
  for (int i = 0; i < cases; ++i) options.cases.push_back(i);
  options.recipe.patch = {8, 10, 12};
  options.recipe.augmentation = heavy_augmentation();
  options.recipe.crop = {0.5, {0, 1, 2}, {0, 2, 2}, 0.5, {0.9, 1.1}};
  options.subsets = {{"policy", "cardinality"}, {"granularity", "sample"}};
  options.batch = 3;
  options.ahead = 2;
  return options;
}

// Everything a batch says, for comparison.
using Content =
    std::tuple<std::int64_t, std::vector<float>, std::vector<std::uint8_t>,
               std::vector<std::vector<SubsetMask>>, std::vector<int>, std::vector<std::uint64_t>,
               std::vector<Extent>, std::vector<SubsetMask>>;

std::vector<Content> take(const Cohort& cohort, const LoaderOptions& options, int batches) {
  Loader loader(cohort, options);
  std::vector<Content> taken;
  for (int i = 0; i < batches; ++i) {
    auto batch = loader.next();
    taken.emplace_back(batch->number, batch->image, batch->label, batch->subsets, batch->cases,
                       batch->sample_index, batch->origin, batch->available);
    loader.recycle(std::move(batch));
  }
  return taken;
}

template <typename Error>
std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Loader, BatchesDoNotDependOnThreadsOrQueueLength) {
  const ToyCohort toy(5);
  LoaderOptions options = options_for(5);
  const auto expected = take(toy.cohort(), options, 7);
  for (const int threads : {2, 4}) {
    options.threads = threads;
    options.ahead = threads;
    EXPECT_EQ(take(toy.cohort(), options, 7), expected) << threads;
  }
}

TEST(Loader, ARankWithCasesOfItsOwnGoesRoundThemByItself) {
  const ToyCohort toy(5);
  LoaderOptions options = options_for(5);
  options.cases = {1, 3, 4};
  options.batch = 5;
  options.rank = 1;
  options.ranks = 2;
  options.own_cases = true;
  std::vector<int> seen;
  for (const Content& batch : take(toy.cohort(), options, 3)) {  // two samples each
    for (const int index : std::get<4>(batch)) seen.push_back(index);
    EXPECT_EQ(std::get<5>(batch)[0] % 5, 1u);  // numbers stay those of the global batch
  }
  ASSERT_EQ(seen.size(), 6u);
  for (const int epoch : {0, 3}) {
    EXPECT_EQ(std::set<int>(seen.begin() + epoch, seen.begin() + epoch + 3),
              (std::set<int>{1, 3, 4}));
  }
}

TEST(Loader, StartsAtAnyBatch) {
  const ToyCohort toy(4);
  LoaderOptions options = options_for(4);
  auto expected = take(toy.cohort(), options, 6);
  options.first_batch = 4;
  expected.erase(expected.begin(), expected.begin() + 4);
  EXPECT_EQ(take(toy.cohort(), options, 2), expected);
}

// Position p of a batch belongs to rank p mod W, also where the batch does not divide evenly.
TEST(Loader, RanksPartitionTheBatchesOfOneRank) {
  const ToyCohort toy(4);
  LoaderOptions options = options_for(4);
  options.batch = 5;
  options.subsets["granularity"] = "batch";
  const auto whole = take(toy.cohort(), options, 3);
  const std::size_t voxels = 8 * 10 * 12;
  for (const int ranks : {2, 3, 7}) {
    options.ranks = ranks;
    for (options.rank = 0; options.rank < ranks; ++options.rank) {
      const auto part = take(toy.cohort(), options, 3);
      for (std::size_t b = 0; b < 3; ++b) {
        const auto& [number, image, label, subsets, cases, index, origin, available] = part[b];
        const auto& [number1, image1, label1, subsets1, cases1, index1, origin1, available1] =
            whole[b];
        std::size_t slot = 0;
        for (auto p = static_cast<std::size_t>(options.rank); p < 5;
             p += static_cast<std::size_t>(ranks), ++slot) {
          EXPECT_EQ(index[slot], index1[p]);
          EXPECT_EQ(cases[slot], cases1[p]);
          EXPECT_EQ(origin[slot], origin1[p]);
          EXPECT_EQ(available[slot], available1[p]);
          EXPECT_EQ(subsets[0][slot], subsets1[0][p]);
          EXPECT_TRUE(std::equal(image.begin() + static_cast<long>(slot * 4 * voxels),
                                 image.begin() + static_cast<long>((slot + 1) * 4 * voxels),
                                 image1.begin() + static_cast<long>(p * 4 * voxels)));
          EXPECT_TRUE(std::equal(label.begin() + static_cast<long>(slot * voxels),
                                 label.begin() + static_cast<long>((slot + 1) * voxels),
                                 label1.begin() + static_cast<long>(p * voxels)));
        }
        EXPECT_EQ(index.size(), slot);
      }
    }
  }
}

// Not what a subset keeps of it: losses ask whether an image is one.
TEST(Loader, SaysWhatEachCaseReallyHas) {
  const ToyCohort toy(3);
  LoaderOptions options = options_for(3);
  options.subsets = {{"policy", "fixed"}, {"subset", "T1"}};
  for (const Content& batch : take(toy.cohort(), options, 2)) {
    EXPECT_EQ(std::get<3>(batch)[0], (std::vector<SubsetMask>(3, 0b0010)));
    EXPECT_EQ(std::get<7>(batch), std::vector<SubsetMask>(3, toy.cohort().cases[0].available));
  }
}

TEST(Loader, DrawsSubsetsPerSampleOrPerBatchWithinWhatTheCaseHas) {
  const ToyCohort toy(3);
  LoaderOptions options = options_for(3);
  options.recipe.draws = 2;
  options.subsets["granularity"] = "batch";
  int differing = 0;
  for (const Content& content : take(toy.cohort(), options, 20)) {
    const auto& subsets = std::get<3>(content);
    ASSERT_EQ(subsets.size(), 2u);
    for (const auto& draw : subsets) {
      EXPECT_EQ(std::set<SubsetMask>(draw.begin(), draw.end()).size(), 1u);
      EXPECT_EQ(draw[0] & ~0b1011u, 0u);  // T1c is absent
    }
  }
  options.subsets["granularity"] = "sample";
  for (const Content& content : take(toy.cohort(), options, 20)) {
    const auto& draw = std::get<3>(content)[0];
    differing += std::set<SubsetMask>(draw.begin(), draw.end()).size() > 1;
  }
  EXPECT_GT(differing, 10);
}

TEST(Loader, TellsThePolicyTheStepOfTheRun) {
  const ToyCohort toy(1);
  LoaderOptions options = options_for(1);
  options.step_offset = 100;
  options.step_stride = 2;  // batches 0 and 1 belong to step 100, 2 and 3 to 101
  options.steps = 200;
  options.subsets = Json::parse(R"({"policy": "schedule", "schedule": [
      {"until_step": 101, "policy": "fixed", "subset": "FLAIR"},
      {"policy": "fixed", "subset": "T2"}]})");
  const auto taken = take(toy.cohort(), options, 4);
  EXPECT_EQ(std::get<3>(taken[1])[0][0], 0b0001u);
  EXPECT_EQ(std::get<3>(taken[2])[0][0], 0b1000u);
}

TEST(Loader, MetaLoaderSharesNoSampleWithTheTrainingLoader) {
  const ToyCohort toy(1);
  LoaderOptions options = options_for(1);
  const auto training = take(toy.cohort(), options, 3);
  options.order = Purpose::kMetaOrder;
  const auto meta = take(toy.cohort(), options, 3);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NE(std::get<1>(training[i]), std::get<1>(meta[i]));
}

TEST(Loader, LeavesADamagedCaseOutAndPutsTheNextOfTheEpochInItsPlace) {
  const ToyCohort toy(4);
  LoaderOptions options = options_for(4);
  options.batch = 4;  // one epoch
  const auto good = take(toy.cohort(), options, 2);
  flip_byte(toy.file(2), std::filesystem::file_size(toy.file(2)) / 2);
  const auto damaged = take(toy.cohort(), options, 2);
  for (std::size_t b = 0; b < 2; ++b) {
    const auto& order = std::get<4>(good[b]);
    const auto& cases = std::get<4>(damaged[b]);
    for (std::size_t i = 0; i < 4; ++i) {
      EXPECT_EQ(cases[i], order[i] == 2 ? order[(i + 1) % 4] : order[i]);
    }
  }
  options.threads = 3;
  EXPECT_EQ(take(toy.cohort(), options, 2), damaged);
  Loader loader(toy.cohort(), options);
  loader.next();
  EXPECT_EQ(loader.skipped_cases(), 1);
}

TEST(Loader, TooManyDamagedCasesAreAnErrorThatNamesCaseAndFile) {
  const ToyCohort toy(4);
  for (const int i : {1, 3}) {
    flip_byte(toy.file(i), std::filesystem::file_size(toy.file(i)) / 2);
  }
  LoaderOptions options = options_for(4);
  options.batch = 4;
  options.corrupt_limit = 1;
  Loader loader(toy.cohort(), options);
  const auto take_all = [&] {
    for (int i = 0; i < 3; ++i) loader.next();
  };
  const std::string message = message_of<DataError>(take_all);
  EXPECT_THAT(message, HasSubstr("case toy"));
  EXPECT_THAT(message, HasSubstr(".h5: data set image is damaged"));
  EXPECT_EQ(message_of<DataError>(take_all), message);  // and again
}

TEST(Loader, NamesTheCacheWhenNoCaseCanBeRead) {
  const ToyCohort toy(2);
  for (const int i : {0, 1}) std::filesystem::remove(toy.file(i));
  Loader loader(toy.cohort(), options_for(2));
  EXPECT_THAT(message_of<DataError>([&] { loader.next(); }),
              HasSubstr("none of the 2 cases can be read"));
}

TEST(Loader, ACaseSmallerThanThePatchIsPaddedNotRefused) {
  const ToyCohort toy(2);
  LoaderOptions options = options_for(2);
  options.recipe.patch = {46, 10, 12};  // of 44
  options.recipe.augmentation = {};
  options.recipe.crop = {};
  Loader loader(toy.cohort(), options);
  const auto batch = loader.next();
  ASSERT_EQ(batch->patch, options.recipe.patch);
  for (const Extent& corner : batch->origin) EXPECT_EQ(corner[0], 0);
  for (std::size_t s = 0; s < 3; ++s) {  // the two slices behind the volume
    const auto* image = batch->image.data() + s * 4 * 46 * 120 + 44 * 120;
    EXPECT_TRUE(std::all_of(image, image + 2 * 120, [](float value) { return value == 0; }));
    const auto* label = batch->label.data() + s * 46 * 120 + 44 * 120;
    EXPECT_TRUE(std::all_of(label, label + 2 * 120, [](std::uint8_t value) { return value == 0; }));
  }
}

// Files that become shorter while they are mapped: reading them would end the program by SIGBUS.
TEST(Loader, ACaseThatShrinksMeanwhileIsLeftOut) {
  const ToyCohort toy(3);
  LoaderOptions options = options_for(3);
  options.ahead = 1;
  options.batch = 6;
  Loader loader(toy.cohort(), options);
  loader.recycle(loader.next());
  std::filesystem::resize_file(toy.file(1), 4096);
  for (int i = 0; i < 4; ++i) {
    auto batch = loader.next();
    if (i >= 2) {
      EXPECT_EQ(std::count(batch->cases.begin(), batch->cases.end(), 1), 0);
    }
    loader.recycle(std::move(batch));
  }
  EXPECT_EQ(loader.skipped_cases(), 1);
  for (const int i : {0, 2}) std::filesystem::resize_file(toy.file(i), 4096);
  EXPECT_THAT(message_of<DataError>([&] {
                for (int i = 0; i < 5; ++i) loader.recycle(loader.next());
              }),
              HasSubstr("none of the 3 cases can be read"));
}

TEST(Loader, RefusesWhatCannotWorkBeforeTrainingStarts) {
  const ToyCohort toy(1);
  LoaderOptions options = options_for(0);
  EXPECT_THAT(message_of<ConfigError>([&] { Loader(toy.cohort(), options); }),
              HasSubstr("no cases"));
  options = options_for(1);
  options.subsets["polcy"] = "full";
  EXPECT_THROW(Loader(toy.cohort(), options), ConfigError);
  Cohort unlabelled = toy.cohort();
  unlabelled.cases[0].has_label = false;
  EXPECT_THAT(message_of<ConfigError>([&] { Loader(unlabelled, options_for(1)); }),
              HasSubstr("toy0 has no label"));
}

// Both end the program instead.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(Loader, ABatchThatDoesNotFitIntoMemoryIsAnError) {
  const ToyCohort toy(1);
  LoaderOptions options = options_for(1);
  options.batch = 2'000'000'000;  // some 30 TB
  Loader loader(toy.cohort(), options);
  EXPECT_THROW(loader.next(), std::bad_alloc);
}
#endif

TEST(Loader, StopsWithBatchesLeftUntaken) {
  const ToyCohort toy(2);
  LoaderOptions options = options_for(2);
  options.threads = 3;
  for (int i = 0; i < 5; ++i) {
    Loader loader(toy.cohort(), options);
    if (i % 2 == 0) loader.next();
  }
}

}  // namespace
}  // namespace lacuna::data
