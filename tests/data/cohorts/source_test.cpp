#include "data/cohorts/source.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files/temporary_directory.h"

namespace lacuna::data {
namespace {

using ::testing::AllOf;
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

// Column and words as BraTS 2021 published them.
TEST_F(SourceTest, ATableThatNamesSitesDecidesForAllItsCases) {
  for (const char* id : {"BraTS2021_00000", "BraTS2021_00001", "BraTS2021_00002"}) {
    add(id, {std::string(id) + "_t1.nii.gz"});
  }
  std::ofstream(folder_ / "BraTS21-17_Mapping.csv")
      << "\xEF\xBB\xBF"
         "BraTS2021,BraTS2018,Cohort Name,Site No (represents the institution) \r\n"
         "BraTS2021_00000,Brats18_CBICA_AAB_1,UPENN-GBM,1\r\n"
         "BraTS2021_00001,Brats18_CBICA_AAG_1,UPENN-GBM,N/A\r\n"
         "BraTS2021_00002,,UCSF-PDGM,18\r\n";
  const SourceCohort cohort = scan_source(folder_.path(), "auto");
  EXPECT_EQ(cohort.cases[0].name.institution, "1");
  EXPECT_EQ(cohort.cases[1].name.institution, "");  // not CBICA: that is another numbering
  EXPECT_EQ(cohort.cases[2].name.institution, "18");
}

TEST_F(SourceTest, ComparesIdsByTheirNumbersWhereAskedTo) {
  add("UCSF-PDGM-0004_nifti", {"UCSF-PDGM-0004_FLAIR.nii.gz"});
  add("UCSF-PDGM-0429_FU003d_nifti", {"UCSF-PDGM-0429_FU003d_T1.nii.gz"});
  std::ofstream(folder_ / "UCSF-PDGM-metadata_v5.csv")
      << "ID,Sex,WHO CNS Grade\nUCSF-PDGM-004,M,4\nUCSF-PDGM-0429,F,2\n";
  const SourceCohort cohort = scan_source(folder_.path(), "auto");
  ASSERT_EQ(cohort.cases.size(), 2u);
  EXPECT_EQ(cohort.cases[0].name.grade, "4");
  EXPECT_EQ(cohort.cases[1].name.grade, "2");  // by the patient
  EXPECT_EQ(cohort.cases[1].name.visit, "FU003d");
  EXPECT_EQ(cohort.cases[0].name.institution, "UCSF");
}

TEST_F(SourceTest, StraysHideNoCase) {
  add("HGG/Brats18_CBICA_AAB_1", {"Brats18_CBICA_AAB_1_t1.nii.gz"});
  add("HGG/Brats18_CBICA_AAG_1", {"Brats18_CBICA_AAG_1_t1.nii.gz", "._Brats18_t1.nii.gz"});
  add("HGG", {"atlas.nii.gz"});
  add("__MACOSX/HGG/Brats18_CBICA_AAB_1", {"._Brats18_CBICA_AAB_1_t1.nii.gz"});
  add("HGG/Brats18_CBICA_AAX_1", {"something.nii.gz"});  // named like a case, without its files
  const SourceCohort cohort = scan_source(folder_.path(), "auto");
  ASSERT_EQ(cohort.cases.size(), 2u);
  EXPECT_EQ(cohort.why, "2 of 4 case directories are named like BraTS 2018 (Brats18_CBICA_AAB_1)");
  // The folder of a grade itself, and one case alone.
  EXPECT_EQ(scan_source(folder_ / "HGG", "auto").cases.size(), 2u);
  const SourceCohort one = scan_source(folder_ / "HGG/Brats18_CBICA_AAB_1", "auto");
  ASSERT_EQ(one.cases.size(), 1u);
  EXPECT_EQ(one.cases[0].name.grade, "HGG");
}

TEST_F(SourceTest, ADanglingLinkIsAProblemOfItsCase) {
  add("BraTS2021_00000", {"BraTS2021_00000_t1.nii.gz"});
  fs::create_symlink("../.git/annex/objects/X",
                     folder_ / "BraTS2021_00000/BraTS2021_00000_t2.nii.gz");
  fs::create_symlink("nowhere", folder_ / "BraTS2021_00001");
  fs::create_directory_symlink("..", folder_ / "BraTS2021_00000/up");
  const SourceCohort cohort = scan_source(folder_.path(), "auto");
  ASSERT_EQ(cohort.cases.size(), 1u);
  EXPECT_THAT(cohort.cases[0].problem,
              AllOf(HasSubstr("_t2.nii.gz: a link to ../.git/annex"), HasSubstr("datalad get")));
}

// Real names: the number in a folder of VSD is not that of the case.
TEST_F(SourceTest, ReadsTheFoldersOf2015) {
  for (const char* grade : {"HGG", "LGG"}) {
    const std::string place = std::string("BRATS2015_Training/") + grade + "/brats_2013_pat0001_1/";
    for (const char* kind : {"MR_Flair", "MR_T1", "MR_T1c", "MR_T2"}) {
      const std::string name = std::string("VSD.Brain.XX.O.") + kind + ".54512";
      add(place + name, {name + ".mha", name + ".txt"});
    }
    add(place + "VSD.Brain_3more.XX.O.OT.54517", {"VSD.Brain_3more.XX.O.OT.54517.mha"});
  }
  const SourceCohort cohort = scan_source(folder_.path(), "auto");
  ASSERT_EQ(cohort.cases.size(), 2u);
  EXPECT_EQ(cohort.profile->name, "brats2015");
  EXPECT_EQ(cohort.cases[1].name.id, "LG_brats_2013_pat0001_1");
  EXPECT_EQ(cohort.cases[1].name.grade, "LGG");
  EXPECT_NE(cohort.cases[0].name.patient, cohort.cases[1].name.patient);
  EXPECT_EQ(cohort.cases[0].images[1].filename(), "VSD.Brain.XX.O.MR_T1.54512.mha");
  EXPECT_EQ(cohort.cases[0].label.filename(), "VSD.Brain_3more.XX.O.OT.54517.mha");
  EXPECT_EQ(cohort.cases[0].problem, "");
}

TEST_F(SourceTest, ReadsLabelsInFoldersOfTheirOwn) {
  add("images_structural/UPENN-GBM-00001_11",
      {"UPENN-GBM-00001_11_FLAIR.nii.gz", "UPENN-GBM-00001_11_T1GD.nii.gz"});
  add("images_structural/UPENN-GBM-00002_11", {"UPENN-GBM-00002_11_T1.nii.gz"});
  add("images_segm", {"UPENN-GBM-00001_11_segm.nii.gz"});
  add("automated_segm", {"UPENN-GBM-00001_11_automated_approx_segm.nii.gz",
                         "UPENN-GBM-00002_11_automated_approx_segm.nii.gz"});
  const SourceCohort cohort = scan_source(folder_.path(), "auto");
  ASSERT_EQ(cohort.cases.size(), 2u);
  EXPECT_EQ(cohort.cases[0].label.filename(), "UPENN-GBM-00001_11_segm.nii.gz");
  EXPECT_EQ(cohort.cases[1].label.filename(), "UPENN-GBM-00002_11_automated_approx_segm.nii.gz");
}

TEST_F(SourceTest, ReadsBidsWithAndWithoutSessions) {
  add("sub-A/ses-1/anat", {"sub-A_ses-1_FLAIR.nii.gz", "sub-A_ses-1_T1w.nii.gz",
                           "sub-A_ses-1_ce-gd_T1w.nii.gz", "sub-A_ses-1_acq-x_T2w.nii.gz"});
  add("sub-B/anat", {"sub-B_T1w.nii.gz"});
  add("derivatives/me/sub-A/ses-1/anat", {"sub-A_ses-1_dseg.nii.gz"});
  add("derivatives/me/sub-B/anat", {"sub-B_dseg.nii.gz"});
  // BIDS does not say what label values stand for.
  try {
    scan_source(folder_.path(), "auto");
    ADD_FAILURE() << "guessed";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("--profile bids"), HasSubstr("--profile my.json")));
  }
  const SourceCohort cohort = scan_source(folder_.path(), "bids");
  ASSERT_EQ(cohort.cases.size(), 2u);
  EXPECT_EQ(cohort.profile->name, "bids");
  EXPECT_EQ(cohort.cases[0].name.patient, "sub-A");
  EXPECT_EQ(cohort.cases[0].images[2].filename(), "sub-A_ses-1_ce-gd_T1w.nii.gz");
  EXPECT_EQ(cohort.cases[0].images[1].filename(), "sub-A_ses-1_T1w.nii.gz");
  EXPECT_EQ(cohort.cases[0].images[3].filename(), "sub-A_ses-1_acq-x_T2w.nii.gz");
  EXPECT_EQ(cohort.cases[0].label.filename(), "sub-A_ses-1_dseg.nii.gz");
  EXPECT_EQ(cohort.cases[1].label.filename(), "sub-B_dseg.nii.gz");
}

TEST_F(SourceTest, ReadsDatasetJsonOfNnUnet) {
  add("Dataset137/imagesTr", {"BraTS_1_0000.nii.gz", "BraTS_1_0001.nii.gz"});
  add("Dataset137/labelsTr", {"BraTS_1.nii.gz"});
  std::ofstream(folder_ / "Dataset137/dataset.json")
      << R"({"channel_names": {"0": "T2", "1": "T1ce"}, "file_ending": ".nii.gz", "labels":
             {"background": 0, "whole tumor": [1, 2, 3], "tumor core": [2, 3],
              "enhancing tumor": [3]}, "regions_class_order": [1, 2, 3]})";
  const SourceCohort cohort = scan_source(folder_.path(), "auto");
  ASSERT_EQ(cohort.cases.size(), 1u);
  EXPECT_EQ(cohort.profile->modalities, (std::vector<std::string>{"T1c", "T2"}));
  EXPECT_EQ(cohort.cases[0].images[0].filename(), "BraTS_1_0001.nii.gz");
  EXPECT_EQ(cohort.cases[0].label.filename(), "BraTS_1.nii.gz");
  EXPECT_EQ(cohort.profile->tissue(1), Tissue::kOedema);
  EXPECT_EQ(cohort.profile->tissue(2), Tissue::kNecrosis);
  EXPECT_EQ(cohort.profile->tissue(3), Tissue::kEnhancing);
}

TEST_F(SourceTest, NotesFilesThatAreThereTwice) {
  add("BraTS2021_00000", {"BraTS2021_00000_t1.nii", "BraTS2021_00000_t1.nii.gz"});
  EXPECT_THAT(scan_source(folder_.path(), "auto").cases[0].problem, HasSubstr("which one counts?"));
  EXPECT_THROW(scan_source(folder_.path(), "nonsense"), ConfigError);
}

}  // namespace
}  // namespace lacuna::data
