#include <csignal>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text/json.h"
#include "tests/base/python.h"
#include "tests/run_program.h"

namespace lacuna {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

// Twelve cases of BraTS 2021 by nibabel, 40 x 44 x 36 voxels; the last without its T2.
constexpr const char* kWriteCohort = R"(
import os, sys, numpy as np, nibabel as nib
rng = np.random.default_rng(1)
for i in range(12):
    name = f"BraTS2021_{i:05d}"
    folder = f"{sys.argv[1]}/in/{name}"
    os.makedirs(folder)
    for suffix in ("flair", "t1", "t1ce", "t2", "seg"):
        data = np.zeros((40, 44, 36), np.int16)
        head = data[5:35, 6:40, 4:30]
        head[:] = rng.integers(1, 900, head.shape)
        if suffix == "seg":
            data = np.where(data > 800, 4, np.where(data > 700, 2, 0)).astype(np.uint8)
        if i < 11 or suffix != "t2":
            nib.save(nib.Nifti1Image(data, np.eye(4)), f"{folder}/{name}_{suffix}.nii.gz")
)";

class IngestCommand : public ::testing::Test {
 protected:
  void SetUp() override {
    LACUNA_NEEDS_PYTHON();
    ASSERT_TRUE(run_python(kWriteCohort, directory_.path()));
  }
  std::string arguments(const std::string& cache) const {
    return fmt::format("ingest --in '{0}/in' --out '{0}/{1}' --json --quiet",
                       directory_.path().string(), cache);
  }
  std::size_t finished_cases() const {
    std::size_t count = 0;
    if (!fs::exists(directory_ / "killed/cases")) return 0;
    for (const auto& entry : fs::directory_iterator(directory_ / "killed/cases")) {
      count += entry.path().extension() == ".h5";
    }
    return count;
  }
  TemporaryDirectory directory_;
};

TEST_F(IngestCommand, KeepsGoodCasesAndExitsWithOneNamingTheRefused) {
  const auto result = run_program(arguments("cache"));
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.err, HasSubstr("BraTS2021_00011 refused"));
  EXPECT_THAT(result.err, HasSubstr("no file for T2 (BraTS2021_00011_t2.nii.gz)"));
  const Json report = Json::parse(result.out);
  EXPECT_EQ(report["made"], 11);
  EXPECT_EQ(report["refused"][0]["id"], "BraTS2021_00011");
  EXPECT_EQ(run_program("ingest --in /nonexistent --out x").code, 1);
  EXPECT_EQ(run_program("ingest --in x --out y --codec zip").code, 2);
}

TEST_F(IngestCommand, GoesOnAfterAKill) {
  const std::string command = arguments("killed") + " --jobs 1 --allow-missing";
  const pid_t child = fork();
  if (child == 0) {
    const std::string in = directory_ / "in", out = directory_ / "killed";
    const char* program = std::getenv("LACUNA_PROGRAM");
    execl(program, program, "ingest", "--in", in.c_str(), "--out", out.c_str(), "--jobs", "1",
          "--allow-missing", "--quiet", nullptr);
    _exit(127);
  }
  int status = 0;
  while (finished_cases() < 3 && waitpid(child, &status, WNOHANG) == 0) std::this_thread::yield();
  ASSERT_EQ(status, 0) << "it has ended by itself: nothing is there to be killed";
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  const std::size_t before = finished_cases();
  ASSERT_GE(before, 3u);
  const auto resumed = run_program(command);
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  const Json report = Json::parse(resumed.out);
  EXPECT_EQ(report["kept"], before);
  EXPECT_EQ(report["cases"], 12);
  const auto clean = run_program(arguments("clean") + " --allow-missing");
  EXPECT_EQ(Json::parse(clean.out)["fingerprint"], report["fingerprint"]);
}

TEST_F(IngestCommand, InspectFindsAFlippedByte) {
  ASSERT_EQ(run_program(arguments("cache") + " --allow-missing").code, 0);
  const std::string cache = (directory_ / "cache").string();
  const auto whole = run_program("inspect '" + cache + "' --verify --json");
  EXPECT_EQ(whole.code, 0) << whole.err;
  const Json found = Json::parse(whole.out);
  EXPECT_EQ(found["kind"], "cache");
  EXPECT_EQ(found["available"]["FLAIR+T1+T1c"], 1);
  EXPECT_EQ(found["labelled"], 12);

  const std::string path = cache + "/cases/BraTS2021_00003.h5";
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(100000);
  const char byte = static_cast<char>(file.get() ^ 1);
  file.seekp(100000);
  file.put(byte);
  file.close();
  const auto damaged = run_program("inspect '" + cache + "' --verify");
  EXPECT_EQ(damaged.code, 1);
  EXPECT_THAT(damaged.err, HasSubstr("BraTS2021_00003.h5: data set image is damaged"));
  EXPECT_EQ(run_program("inspect '" + path + "'").code, 1);
}

TEST_F(IngestCommand, InspectExplainsNiftiCasesAndCheckpoints) {
  const std::string image = directory_ / "in/BraTS2021_00000/BraTS2021_00000_seg.nii.gz";
  const Json nifti = Json::parse(run_program("inspect '" + image + "' --json").out);
  EXPECT_EQ(nifti["kind"], "nifti");
  EXPECT_EQ(nifti["size_ijk"], Json({40, 44, 36}));
  EXPECT_EQ(nifti["voxels_per_value"].size(), 3u);

  // Checksum of "hello" by the reference implementation: printf hello | xxh64sum -H3.
  const fs::path checkpoint = directory_ / "step-00000010";
  fs::create_directories(checkpoint);
  std::ofstream(checkpoint / "model.safetensors") << "hello";
  const auto manifest = [&](const std::string& sum) {
    std::ofstream(checkpoint / "manifest.json")
        << R"({"format": 1, "step": 10, "files": {"model.safetensors": {"bytes": 5, "xxh3": ")" +
               sum + "\"}}}";
    return run_program("inspect '" + checkpoint.string() + "' --json");
  };
  EXPECT_EQ(manifest("9555e8555c62dcfd").code, 0);
  const auto damaged = manifest("0555e8555c62dcfd");
  EXPECT_EQ(damaged.code, 1);
  EXPECT_THAT(damaged.err, HasSubstr("model.safetensors: does not match its checksum"));
  EXPECT_EQ(run_program("inspect '" + directory_.path().string() + "'").code, 1);
}

}  // namespace
}  // namespace lacuna
