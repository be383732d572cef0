// Every data set that the phantom can lay out, from its files to the cache, the profile found by
// itself.
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files/temporary_directory.h"
#include "data/cache/case_file.h"
#include "data/ingest/ingest.h"
#include "data/phantom/phantom.h"
#include "data/phantom/phantom_case.h"

namespace lacuna::data {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr Extent kSize{16, 20, 18};
constexpr int kCases = 4;

class Layout : public ::testing::TestWithParam<std::string> {
 protected:
  void make(const std::string& profile, const Path& directory) const {
    PhantomOptions phantom;
    phantom.cases = kCases;
    phantom.extent = kSize;
    phantom.profile = profile;
    Progress quiet("phantom", "cases", phantom.cases, ProgressStyle::kQuiet);
    write_phantom(posix_file_system(), directory, phantom, quiet);
  }
  IngestReport ingest_from(const Path& directory) const {
    IngestOptions options;
    options.input = directory;
    options.output = folder_ / "cache";
    return ingest(options, posix_file_system());
  }
  TemporaryDirectory folder_;
};

// What a profile can store of a tissue of the phantom.
std::uint8_t stored(const Profile& profile, std::uint8_t tissue) {
  const auto kind = static_cast<Tissue>(tissue);
  if (tissue == 0 || profile.value(kind) != 0) return tissue;
  return profile.value(Tissue::kTumour) != 0 ? static_cast<std::uint8_t>(Tissue::kTumour) : 0;
}

TEST_P(Layout, GoesFromFilesToCache) {
  const Profile& profile = find_profile(GetParam());
  make(profile.name, folder_ / "in");
  const IngestReport report = ingest_from(folder_ / "in");
  const Cohort& cohort = report.cohort;
  EXPECT_TRUE(cohort.refused.empty()) << cohort.refused[0].reason;
  ASSERT_EQ(cohort.cases.size(), static_cast<std::size_t>(kCases)) << report.why_profile;
  if (profile.automatic) {
    EXPECT_EQ(cohort.profile, profile.name) << report.why_profile;
  }
  EXPECT_EQ(cohort.modalities.names(), profile.modalities);
  const bool tells_site =
      profile.writing.table || profile.writing.path.find("{institution}") != std::string::npos;
  std::map<std::string, int> patients;
  for (int number = 0; number < kCases; ++number) {
    // Institution and grade are part of some ids: try them all.
    int index = -1;
    for (const char* grade : {"HGG", "LGG"}) {
      const std::vector<std::string> usual = {"CBICA", "TCIA01", "TMC", "WashU"};
      const auto& own = profile.writing.institutions;
      for (const std::string& site : own.empty() ? usual : own) {
        const CaseName name = profile.make_case(number, site, grade).name;
        if (index < 0) index = cohort.index_of(name.id);
        if (index < 0 || cohort.cases[static_cast<std::size_t>(index)].id != name.id) continue;
        EXPECT_EQ(cohort.cases[static_cast<std::size_t>(index)].patient, name.patient);
        EXPECT_EQ(cohort.cases[static_cast<std::size_t>(index)].visit, name.visit);
      }
    }
    ASSERT_GE(index, 0) << "case " << number << " is missing";
    const CaseInfo& info = cohort.cases[static_cast<std::size_t>(index)];
    ++patients[info.patient];
    EXPECT_EQ(info.institution.empty(), !tells_site && profile.institution.empty()) << info.id;
    EXPECT_TRUE(info.has_label);
    EXPECT_EQ(info.available, cohort.modalities.full());
    // Orientation may be the cohort's: counts of tissues tell labels apart all the same.
    const int visits = std::max(1, static_cast<int>(profile.writing.visits.size()));
    PhantomCaseOptions options{
        kSize, 1, number, 0, number / visits % 4 == 3, profile.value(Tissue::kResection) != 0};
    constexpr int kInstitutionOf[] = {0, 1, 2, 0};  // of the first patients
    options.institution = kInstitutionOf[number / visits];
    std::map<int, int> expected, found;
    for (const std::uint8_t tissue : make_phantom_case(options).label) {
      ++expected[stored(profile, tissue)];
    }
    std::vector<std::uint8_t> label(static_cast<std::size_t>(voxels(kSize)));
    CaseFile(cohort, info).read_label({0, 0, 0}, kSize, label.data());
    for (const std::uint8_t tissue : label) ++found[tissue];
    EXPECT_EQ(found, expected) << info.id;
  }
  EXPECT_EQ(patients.size(), profile.writing.visits.empty() ? kCases : kCases / 2u);
}

std::vector<std::string> written_profiles() {
  std::vector<std::string> names;
  for (const Profile& profile : all_profiles()) {
    if (!profile.writing.path.empty() && profile.writing.extension == ".nii.gz") {
      names.push_back(profile.name);
    }
  }
  return names;
}

INSTANTIATE_TEST_SUITE_P(Profiles, Layout, ::testing::ValuesIn(written_profiles()),
                         [](const auto& about) {
                           std::string name = about.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

// Cases that are named alike and numbered differently.
class ProfileChoiceTest : public ::testing::Test {
 protected:
  void add(const std::string& id, const std::vector<std::uint8_t>& values,
           const std::string& folder = "in") {
    NiftiHeader grid;
    grid.size = {18, 16, 14};
    grid.sform_code = 1;
    grid.sform = {{{-1, 0, 0, 0}, {0, -1, 0, 0}, {0, 0, 1, 0}}};
    std::vector<std::int16_t> image(static_cast<std::size_t>(grid.voxels()), 0);
    std::vector<std::uint8_t> label(image.size(), 0);
    for (std::size_t i = 300; i < 900; ++i) image[i] = static_cast<std::int16_t>(10 + i % 90);
    for (std::size_t i = 0; i < values.size(); ++i) label[400 + i] = values[i];
    const Path directory = folder_ / folder / id;
    posix_file_system().make_directories(directory);
    for (const char* kind : {"-t2f", "-t1n", "-t1c", "-t2w"}) {
      write_nifti<std::int16_t>(posix_file_system(), directory / (id + kind + ".nii.gz"), grid,
                                image);
    }
    write_nifti<std::uint8_t>(posix_file_system(), directory / (id + "-seg.nii.gz"), grid, label);
  }
  IngestReport run(const std::string& profile = "auto", const std::string& folder = "in") {
    IngestOptions options;
    options.input = folder_ / folder;
    options.output = folder_ / ("cache-" + profile);
    options.profile = profile;
    return ingest(options, posix_file_system());
  }
  std::string error_of(const std::string& profile = "auto") {
    try {
      run(profile);
    } catch (const DataError& error) {
      return error.what();
    }
    return "no error";
  }
  TemporaryDirectory folder_;
};

TEST_F(ProfileChoiceTest, AsksWhenValuesMeanOneThingOrAnother) {
  add("BraTS-PED-00001-000", {1, 2, 3});
  EXPECT_THAT(error_of(), AllOf(HasSubstr("brats2023-ped (1 necrosis, 2 oedema, 3 enhancing)"),
                                HasSubstr("brats2024-ped (1 enhancing, 2 necrosis, 3 cyst, 4"),
                                HasSubstr("--profile brats2023-ped")));
  EXPECT_EQ(run("brats2024-ped").cohort.cases.size(), 1u);
}

TEST_F(ProfileChoiceTest, AValueThatOnlyOneHasSettlesIt) {
  add("BraTS-PED-00001-000", {1, 2, 3});
  add("BraTS-PED-00002-000", {1, 2, 4});
  const IngestReport report = run();
  EXPECT_EQ(report.cohort.profile, "brats2024-ped");
  EXPECT_THAT(report.why_profile, HasSubstr("label values 1, 2, 3, 4"));
  // One case makes the data set suspect, not itself.
  EXPECT_THAT(error_of("brats2023-ped"),
              AllOf(HasSubstr("case BraTS-PED-00002-000 has label values 1, 2, 4"),
                    HasSubstr("--profile brats2024-ped")));
}

TEST_F(ProfileChoiceTest, TheFolderOfTheOrganisersCounts) {
  add("BraTS-PED-00001-000", {1, 2, 3}, "in/ASNR-MICCAI-BraTS2023-PED-Challenge-TrainingData");
  const IngestReport report = run();
  EXPECT_EQ(report.cohort.profile, "brats2023-ped");
  EXPECT_THAT(report.why_profile, HasSubstr("the name of its folder"));
}

TEST_F(ProfileChoiceTest, VisitsBeforeAndAfterTreatmentAreOneDataSet) {
  add("BraTS-GLI-00001-000", {1, 2, 3});
  EXPECT_EQ(run().cohort.profile, "brats2023-gli");
  add("BraTS-GLI-00001-100", {1, 2, 4});
  posix_file_system().remove_all(folder_ / "cache-auto");
  const IngestReport report = run();
  EXPECT_EQ(report.cohort.profile, "brats2025-gli");
  EXPECT_EQ(report.cohort.cases[0].patient, report.cohort.cases[1].patient);
}

TEST_F(ProfileChoiceTest, AStrayValueIsItsCasesProblem) {
  add("BraTS-MET-00001-000", {1, 2, 3});
  add("BraTS-MET-00002-000", {1, 2, 4});
  add("BraTS-MET-00003-000", {1, 2, 6});
  const IngestReport report = run();
  EXPECT_EQ(report.cohort.profile, "brats2025-met");
  ASSERT_EQ(report.cohort.refused.size(), 1u);
  EXPECT_THAT(report.cohort.refused[0].reason, HasSubstr("label values 6"));
}

TEST_F(ProfileChoiceTest, AnEarlierCacheKeepsItsProfile) {
  add("BraTS-GLI-00001-000", {1, 2, 3});
  IngestOptions options;
  options.input = folder_ / "in";
  options.output = folder_ / "cache";
  options.profile = "brats2023";  // the name of earlier versions
  const std::string before = ingest(options, posix_file_system()).cohort.fingerprint;
  options.profile = "auto";
  const IngestReport report = ingest(options, posix_file_system());
  EXPECT_EQ(report.cohort.profile, "brats2023");
  EXPECT_EQ(report.cohort.fingerprint, before);
  EXPECT_EQ(report.kept, 1);
}

TEST_F(ProfileChoiceTest, DataSetsSideBySideAreNamed) {
  add("BraTS-GLI-00001-000", {1, 2, 3});
  add("BraTS-MEN-00001-000", {1, 2, 3});
  EXPECT_THAT(error_of(), AllOf(HasSubstr("several data sets: 1 of brats2023-gli"),
                                HasSubstr("1 of brats2023-men")));
}

}  // namespace
}  // namespace lacuna::data
