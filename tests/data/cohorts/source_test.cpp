#include "data/cohorts/source.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files/temporary_directory.h"

namespace lacuna::data {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

class SourceTest : public ::testing::Test {
 protected:
  // Names alone count here, so the files are empty.
  void add(const std::string& directory, const std::vector<std::string>& files) {
    fs::create_directories(folder_ / directory);
    for (const std::string& file : files) std::ofstream(folder_ / (directory + "/" + file)) << "";
  }
  TemporaryDirectory folder_;
};

TEST_F(SourceTest, ReadsTheGradeAndSiteOf2018FromFolderAndId) {
  add("data/HGG/Brats18_CBICA_AQQ_1", {"Brats18_CBICA_AQQ_1_flair.nii.gz"});
  add("data/LGG/Brats18_2013_15_1", {"Brats18_2013_15_1_t1ce.nii", "Brats18_2013_15_1_seg.nii.gz"});
  const SourceCohort cohort = scan_source(folder_.path(), "auto");
  ASSERT_EQ(cohort.cases.size(), 2u);
  EXPECT_EQ(cohort.profile->name, "brats2018");
  EXPECT_EQ(cohort.cases[0].name.institution, "2013");
  EXPECT_EQ(cohort.cases[0].name.grade, "LGG");
  EXPECT_EQ(cohort.cases[0].images[2].filename(), "Brats18_2013_15_1_t1ce.nii");
  EXPECT_TRUE(cohort.cases[0].images[0].empty());
  EXPECT_EQ(cohort.cases[0].label.filename(), "Brats18_2013_15_1_seg.nii.gz");
  EXPECT_EQ(cohort.cases[1].name.institution, "CBICA");
  EXPECT_EQ(cohort.cases[1].name.grade, "HGG");
}

// Header and first lines of the table as BraTS 2020 published it.
TEST_F(SourceTest, ReadsTheNameMappingOf2020) {
  add("BraTS20_Training_001", {"BraTS20_Training_001_flair.nii"});
  add("BraTS20_Training_259", {"BraTS20_Training_259_flair.nii"});
  std::ofstream(folder_ / "name_mapping.csv")
      << "Grade,BraTS_2017_subject_ID,BraTS_2018_subject_ID,TCGA_TCIA_subject_ID,"
         "BraTS_2019_subject_ID,BraTS_2020_subject_ID\r\n"
         "HGG,Brats17_CBICA_AAB_1,Brats18_CBICA_AAB_1,NA,BraTS19_CBICA_AAB_1,"
         "BraTS20_Training_001\r\n"
         "LGG,NA,NA,NA,NA,BraTS20_Training_259\r\n";
  const SourceCohort cohort = scan_source(folder_.path(), "auto");
  EXPECT_EQ(cohort.cases[0].name.institution, "CBICA");
  EXPECT_EQ(cohort.cases[0].name.grade, "HGG");
  EXPECT_EQ(cohort.cases[1].name.institution, "");
  EXPECT_EQ(cohort.cases[1].name.grade, "LGG");
}

TEST_F(SourceTest, TakesTheInstitutionsOfFetsFromTheFirstPartitioning) {
  add("FeTS2022_00000", {"FeTS2022_00000_flair.nii.gz"});
  std::ofstream(folder_ / "partitioning_1.csv") << "Partition_ID,Subject_ID\n1,FeTS2022_00000\n";
  std::ofstream(folder_ / "partitioning_2.csv") << "Partition_ID,Subject_ID\n7,FeTS2022_00000\n";
  EXPECT_EQ(scan_source(folder_.path(), "auto").cases[0].name.institution, "1");
}

TEST_F(SourceTest, FindsTheOneLabelOf2020ThatHasAnotherName) {
  add("BraTS20_Training_355", {"BraTS20_Training_355_t1.nii", "W39_1998.09.19_Segm.nii"});
  EXPECT_EQ(scan_source(folder_.path(), "auto").cases[0].label.filename(),
            "W39_1998.09.19_Segm.nii");
}

TEST_F(SourceTest, NotesFilesThatAreThereTwice) {
  add("BraTS2021_00000", {"BraTS2021_00000_t1.nii", "BraTS2021_00000_t1.nii.gz"});
  EXPECT_THAT(scan_source(folder_.path(), "auto").cases[0].problem, HasSubstr("which one counts?"));
  EXPECT_THROW(scan_source(folder_.path(), "nonsense"), ConfigError);
}

}  // namespace
}  // namespace lacuna::data
