#include "data/types/modality.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace lacuna::data {
namespace {

const ModalitySet kBrats({"FLAIR", "T1", "T1c", "T2"});

TEST(ModalitySet, ListsSubsetsInTheOrderOfTheTables) {
  std::vector<std::string> names;
  for (const SubsetMask subset : kBrats.subsets()) names.push_back(kBrats.format(subset));
  EXPECT_EQ(names, (std::vector<std::string>{"FLAIR", "T1", "T1c", "T2", "FLAIR+T1", "FLAIR+T1c",
                                             "FLAIR+T2", "T1+T1c", "T1+T2", "T1c+T2",
                                             "FLAIR+T1+T1c", "FLAIR+T1+T2", "FLAIR+T1c+T2",
                                             "T1+T1c+T2", "FLAIR+T1+T1c+T2"}));
}

TEST(ModalitySet, ParsesWhatItFormats) {
  for (const SubsetMask subset : kBrats.subsets()) {
    EXPECT_EQ(kBrats.parse(kBrats.format(subset)), subset);
  }
  EXPECT_EQ(kBrats.parse("all"), kBrats.full());
  EXPECT_EQ(kBrats.parse("t1C+flair"), 0b101u);
  EXPECT_THROW(kBrats.parse("T1+"), ConfigError);
  EXPECT_THROW(kBrats.parse("T3"), ConfigError);
}

TEST(ModalitySet, WorksForOtherCohorts) {
  const ModalitySet pair({"image", "audio"});
  EXPECT_EQ(pair.subsets(), (std::vector<SubsetMask>{1, 2, 3}));
  EXPECT_THROW(ModalitySet({"a", "a"}), ConfigError);
}

}  // namespace
}  // namespace lacuna::data
