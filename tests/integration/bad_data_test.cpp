// What a user meets who brings bad data: one clear message with file, reason and remedy, the right
// exit code, good cases kept, nothing half-written. Through the program itself.
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text/json.h"
#include "tests/run_program.h"

namespace lacuna::tests {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// Three small cases of a phantom, fresh for every test.
class BadData : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(run_program("phantom --out " + raw() + " --cases 3 --size 32,32,32 --quiet").code, 0);
    for (const auto& entry : fs::recursive_directory_iterator(raw())) {
      if (entry.is_directory() && has_images(entry.path())) cases_.push_back(entry.path());
    }
    std::sort(cases_.begin(), cases_.end());
    ASSERT_EQ(cases_.size(), 3u);
  }

  static bool has_images(const fs::path& directory) {
    for (const auto& file : fs::directory_iterator(directory)) {
      if (file.path().string().ends_with(".nii.gz")) return true;
    }
    return false;
  }

  fs::path image(std::size_t number, const std::string& suffix) const {
    return cases_[number] / (cases_[number].filename().string() + suffix);
  }

  ProgramResult ingest(const std::string& more = "") const {
    return run_program("ingest --in " + raw() + " --out " + cache() + " --quiet " + more);
  }

  std::size_t cached_cases() const {
    const Json cohort = read_json(fs::path(cache()) / "cohort.json");
    return cohort.at("cases").size();
  }

  // The message names the file, and the two good cases are in the cache.
  void expect_refused(const ProgramResult& result, const std::string& file,
                      const std::string& reason) const {
    EXPECT_EQ(result.code, 1) << result.err;
    EXPECT_THAT(result.err, AllOf(HasSubstr(file), HasSubstr(reason)));
    EXPECT_EQ(cached_cases(), 2u);
    for (const auto& entry : fs::directory_iterator(fs::path(cache()) / "cases")) {
      EXPECT_EQ(entry.path().extension(), ".h5") << "left behind: " << entry.path();
    }
  }

  std::string raw() const { return scratch_.text("raw"); }
  std::string cache() const { return scratch_.text("cache"); }

  Scratch scratch_;
  std::vector<fs::path> cases_;
};

void cut(const fs::path& path, std::uintmax_t bytes) { fs::resize_file(path, bytes); }

void overwrite(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

// Edits a NIfTI file in place with nibabel: `edit` sees `image` and `data`.
void edit_nifti(const fs::path& path, const std::string& edit) {
  const std::string script =
      "import nibabel,numpy; image=nibabel.load('" + path.string() +
      "'); data=numpy.asanyarray(image.dataobj).copy(); affine=image.affine.copy(); " + edit +
      "; nibabel.save(nibabel.Nifti1Image(data,affine),'" + path.string() + "')";
  const std::string command = std::string(std::getenv("LACUNA_PYTHON")) + " -c \"" + script + "\"";
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
}

TEST_F(BadData, TruncatedGzipIsRefusedAndTheOtherCasesKept) {
  cut(image(1, "_t1ce.nii.gz"), 5000);
  expect_refused(ingest(), "_t1ce.nii.gz", "truncated");
}

TEST_F(BadData, AFileThatIsNoGzipIsRefused) {
  overwrite(image(1, "_t2.nii.gz"), std::string(4000, 'x'));
  expect_refused(ingest(), "_t2.nii.gz", "gzip");
}

TEST_F(BadData, AMissingModalityIsRefusedOrKeptOnRequest) {
  fs::remove(image(0, "_flair.nii.gz"));
  expect_refused(ingest(), "flair", "--allow-missing");
  const ProgramResult allowed = ingest("--allow-missing");
  EXPECT_EQ(allowed.code, 0) << allowed.err;
  EXPECT_EQ(cached_cases(), 3u);
}

TEST_F(BadData, ShapesThatDifferInsideACaseAreRefused) {
  edit_nifti(image(2, "_t1.nii.gz"), "data=data[:-1]");
  expect_refused(ingest(), "_t1.nii.gz", "31 x 32 x 32 voxels, but");
}

TEST_F(BadData, AffinesThatDifferInsideACaseAreRefused) {
  edit_nifti(image(2, "_t1.nii.gz"), "affine[0,3]+=5");
  expect_refused(ingest(), "_t1.nii.gz", "affine");
}

TEST_F(BadData, NanVoxelsAreRefused) {
  edit_nifti(image(2, "_t1.nii.gz"), "data=data.astype('float32'); data[3,4,5]=float('nan')");
  expect_refused(ingest(), "_t1.nii.gz", "NaN");
}

TEST_F(BadData, LabelsOutsideTheProfileAreRefused) {
  edit_nifti(image(2, "_seg.nii.gz"), "data[3,4,5]=9");
  expect_refused(ingest(), "_seg.nii.gz", "label values 9 do not belong to profile brats2021");
}

TEST_F(BadData, AnEmptyDirectoryIsRefused) {
  fs::create_directories(scratch_ / "nothing");
  const ProgramResult result =
      run_program("ingest --in " + scratch_.text("nothing") + " --out " + cache());
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.err, AllOf(HasSubstr("nothing"), HasSubstr("Check --in")));
  EXPECT_FALSE(fs::exists(fs::path(cache()) / "cohort.json"));
}

TEST_F(BadData, ADuplicateCaseIsRefused) {
  fs::create_directories(fs::path(raw()) / "copy");
  fs::copy(cases_[0], fs::path(raw()) / "copy" / cases_[0].filename(), fs::copy_options::recursive);
  const ProgramResult result = ingest();
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.err, AllOf(HasSubstr(cases_[0].filename().string()), HasSubstr("copy")));
}

TEST_F(BadData, ACacheOfAnotherFormatVersionIsRefused) {
  ASSERT_EQ(ingest().code, 0);
  const fs::path file = fs::path(cache()) / "cohort.json";
  Json cohort = read_json(file);
  for (auto& [key, value] : cohort.items()) {
    if (key.find("version") != std::string::npos) value = 9999;
  }
  overwrite(file, cohort.dump());
  const ProgramResult result = run_program("inspect " + cache());
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.err, AllOf(HasSubstr("9999"), HasSubstr("lacuna ingest")));
}

TEST_F(BadData, AFlippedByteInACaseIsFound) {
  ASSERT_EQ(ingest().code, 0);
  const fs::path file = fs::directory_iterator(fs::path(cache()) / "cases")->path();
  std::fstream bytes(file, std::ios::binary | std::ios::in | std::ios::out);
  bytes.seekg(static_cast<std::streamoff>(fs::file_size(file) * 2 / 3));
  const char old = static_cast<char>(bytes.get());
  bytes.seekp(static_cast<std::streamoff>(fs::file_size(file) * 2 / 3));
  bytes.put(static_cast<char>(old ^ 0x40));
  bytes.close();
  const ProgramResult result = run_program("inspect " + cache() + " --verify");
  EXPECT_EQ(result.code, 1) << result.out;
  EXPECT_THAT(result.err + result.out, HasSubstr(file.stem().string()));
}

TEST_F(BadData, ASplitThatNamesUnknownCasesIsRefused) {
  overwrite(scratch_ / "splits.json", R"({"mine": {"train": ["NoSuchCase"], "validation": []}})");
  const ProgramResult result = ingest("--splits " + scratch_.text("splits.json"));
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("NoSuchCase"));
}

TEST_F(BadData, AContradictoryProfileIsRefused) {
  Json profile = Json::parse(run_program("inspect --profile brats2021").out);
  profile["name"] = "mine";
  profile["label"] = {"{id}_t1"};
  overwrite(scratch_ / "mine.json", profile.dump());
  const ProgramResult result = ingest("--profile " + scratch_.text("mine.json"));
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, AllOf(HasSubstr("mine.json"), HasSubstr("\"label\" is the file of T1")));
}

TEST_F(BadData, ACohortWithoutLabelsSaysSo) {
  for (std::size_t i = 0; i < cases_.size(); ++i) fs::remove(image(i, "_seg.nii.gz"));
  const ProgramResult result = ingest();
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.err, HasSubstr("none of the 3 cases has a label"));
}

TEST_F(BadData, ADirectoryThatIsNotUtf8IsTaken) {
  const fs::path odd = fs::path(raw()) / "M\xFCnchen";
  fs::create_directories(odd);
  fs::rename(cases_[0], odd / cases_[0].filename());
  cut(odd / cases_[0].filename() / (cases_[0].filename().string() + "_t2.nii.gz"), 900);
  const ProgramResult result = ingest();
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.err, AllOf(HasSubstr("_t2.nii.gz"), Not(HasSubstr("unexpected"))));
  EXPECT_EQ(cached_cases(), 2u);
}

}  // namespace
}  // namespace lacuna::tests
