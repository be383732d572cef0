#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text/json.h"
#include "tests/base/python.h"
#include "tests/run_program.h"

namespace lacuna {
namespace {

using ::testing::HasSubstr;

// Two masks by nibabel, 1 x 1 x 2 mm: truth one voxel of label 4, prediction two more along k.
constexpr const char* kWriteMasks = R"(
import sys, numpy as np, nibabel as nib
affine = np.diag([-1.0, -1.0, 2.0, 1.0])
truth = np.zeros((5, 6, 7), np.uint8); truth[2, 3, 1] = 4
prediction = truth.copy(); prediction[2, 3, 2:4] = 4
moved = affine.copy(); moved[0, 3] = 30
for name, data, where in (("t", truth, affine), ("p", prediction, affine), ("m", truth, moved)):
    nib.save(nib.Nifti1Image(data, where), f"{sys.argv[1]}/{name}.nii.gz")
)";

TEST(MetricsCommand, PrintsTheDocumentedJson) {
  LACUNA_NEEDS_PYTHON();
  const TemporaryDirectory directory;
  ASSERT_TRUE(run_python(kWriteMasks, directory.path()));
  const auto pair =
      fmt::format("--pred '{0}/p.nii.gz' --truth '{0}/t.nii.gz'", directory.path().string());
  const auto result = run_program("metrics " + pair + " --hd95 pooled --json");
  ASSERT_EQ(result.code, 0) << result.err;
  const Json json = Json::parse(result.out);
  EXPECT_EQ(json.size(), 4u);
  EXPECT_EQ(json["labels_of"], "BraTS 2021");
  EXPECT_EQ(json["hd95_definition"], "pooled");
  EXPECT_THAT(json["empty_rule"].get<std::string>(), HasSubstr("373.13"));
  ASSERT_EQ(json["regions"].size(), 3u);
  for (const char* region : {"ET", "TC", "WT"}) {
    EXPECT_DOUBLE_EQ(json["regions"][region]["dice"].get<double>(), 0.5);
    // Distances 0, 2, 4 mm one way, 0 the other: numpy.percentile([0, 0, 2, 4], 95) = 3.7.
    EXPECT_NEAR(json["regions"][region]["hd95"].get<double>(), 3.7, 1e-12);
  }
  EXPECT_THAT(run_program("metrics " + pair).out, HasSubstr("labels of BraTS 2021"));
}

TEST(MetricsCommand, RefusesWhatCannotBeCompared) {
  LACUNA_NEEDS_PYTHON();
  const TemporaryDirectory directory;
  ASSERT_TRUE(run_python(kWriteMasks, directory.path()));
  const auto moved = run_program(fmt::format(
      "metrics --pred '{0}/p.nii.gz' --truth '{0}/m.nii.gz' --json", directory.path().string()));
  EXPECT_EQ(moved.code, 1);
  EXPECT_THAT(moved.err, HasSubstr("affine differs"));
  EXPECT_EQ(moved.out, "");
  EXPECT_EQ(run_program(fmt::format("metrics --pred '{0}/p.nii.gz' --truth '{0}/t.nii.gz' "
                                    "--hd95 max",
                                    directory.path().string()))
                .code,
            2);
}

}  // namespace
}  // namespace lacuna
