// lacuna bench loader: training samples per second from a warm cache, on one core and on all.
//
// Without --data the bench makes four cases of its own, as large as those of BraTS, by an integer
// formula that bench/peers/loader.py repeats.
#include <filesystem>
#include <string>
#include <vector>

#include "app/bench/bench.h"
#include "base/files/temporary_directory.h"
#include "data/augment/augmentation.h"
#include "data/cache/case_writer.h"
#include "data/sampling/loader.h"

namespace lacuna::app {
namespace {

constexpr data::Extent kLoadedVolume{155, 240, 240};
constexpr data::Extent kBoxOffset{5, 30, 50}, kBox{140, 175, 140};
constexpr int kLoadedCases = 4;
constexpr int kSamplesPerRepeat = 16;

// Brain voxel i of modality m is 1 + (7919 i + 977 m) mod 999; a ball of tumour inside.
data::CaseVoxels make_voxels(int modalities) {
  data::CaseVoxels voxels;
  const std::int64_t count = kBox[0] * kBox[1] * kBox[2];
  for (std::int64_t m = 0; m < modalities; ++m) {
    for (std::int64_t i = 0; i < count; ++i) {
      voxels.integers.push_back(static_cast<std::int16_t>(1 + (7919 * i + 977 * m) % 999));
    }
  }
  for (std::int64_t d = 0; d < kBox[0]; ++d) {
    for (std::int64_t h = 0; h < kBox[1]; ++h) {
      for (std::int64_t w = 0; w < kBox[2]; ++w) {
        const std::int64_t squared =
            (d - 60) * (d - 60) + (h - 80) * (h - 80) + (w - 60) * (w - 60);
        voxels.label.push_back(squared < 200 ? 3 : squared < 500 ? 1 : squared < 1200 ? 2 : 0);
      }
    }
  }
  return voxels;
}

data::Cohort make_cohort(const std::filesystem::path& folder) {
  data::Cohort cohort;
  cohort.directory = folder;
  cohort.profile = "brats2020";
  cohort.regions = data::tumour_regions();
  data::CaseHeader header;
  header.profile = cohort.profile;
  header.modalities = cohort.modalities.names();
  header.regions = cohort.regions;
  header.sources = {{"formula", 0, 0, ""}};
  data::IntensityStatistics statistics;
  statistics.minimum = 0;
  statistics.maximum = statistics.cap = 999;
  statistics.mean = statistics.capped_mean = 500;
  statistics.deviation = statistics.capped_deviation = 288.4;
  header.statistics.assign(header.modalities.size(), statistics);
  header.info.available = cohort.modalities.full();
  header.info.full_extent = kLoadedVolume;
  header.info.box_offset = kBoxOffset;
  header.info.box_extent = kBox;
  header.info.spacing_mm = {1, 1, 1};
  for (std::size_t i = 0; i < 4; ++i) header.info.affine[i][i] = 1;
  posix_file_system().make_directories(folder / "cases");
  const data::CaseVoxels voxels = make_voxels(cohort.modalities.size());
  for (int i = 0; i < kLoadedCases; ++i) {
    header.info.id = fmt::format("case{}", i);
    const auto bytes = data::encode_case(header, voxels);
    cohort.cases.push_back(header.info);
    cohort.cases.back().file = "cases/" + header.info.id + ".h5";
    write_durably(posix_file_system(), folder / cohort.cases.back().file, bytes);
  }
  return cohort;
}

// Seconds per sample of a loader that is always behind: the consumer takes batches at once.
Json measure_loader(const std::string& name, const data::Cohort& cohort,
                    const BenchOptions& options, const data::AugmentationRecipe& augmentation,
                    int threads) {
  data::LoaderOptions loading;
  for (std::size_t i = 0; i < cohort.cases.size(); ++i) {
    if (cohort.cases[i].has_label) loading.cases.push_back(static_cast<int>(i));
  }
  loading.recipe.patch = options.patch;
  loading.recipe.augmentation = augmentation;
  loading.subsets = {{"policy", "cardinality"}};
  loading.threads = threads;
  loading.ahead = 2 * threads;
  data::Loader loader(cohort, loading);
  const auto take = [&](std::int64_t samples) {
    for (std::int64_t i = 0; i < samples; ++i) loader.recycle(loader.next());
  };
  take(2 * static_cast<std::int64_t>(loading.cases.size()));  // every case opened and in memory
  Timing timing = measure(options, [&] { take(kSamplesPerRepeat); });
  timing.median_seconds /= kSamplesPerRepeat;
  timing.fastest_seconds /= kSamplesPerRepeat;
  Json made = entry(name, timing);
  made["samples_per_second"] = 1 / timing.median_seconds;
  made["samples_per_second_per_core"] = 1 / timing.median_seconds / threads;
  made["cores"] = threads;
  return made;
}

}  // namespace

Json run_loader(const BenchOptions& options) {
  const TemporaryDirectory folder;
  const data::Cohort cohort =
      options.data.empty() ? make_cohort(folder.path()) : data::open_cohort(options.data);
  Json entries = Json::array();
  const auto add = [&](const std::string& name, const data::AugmentationRecipe& recipe) {
    entries.push_back(measure_loader(name, cohort, options, recipe, 1));
    const int threads = bench_threads(options);
    if (threads == 1) return;
    entries.push_back(measure_loader(fmt::format("{} {} threads", name, threads), cohort, options,
                                     recipe, threads));
  };
  add("plain", {});
  add("mirror", data::mirror_augmentation());
  add("heavy", data::heavy_augmentation());
  return entries;
}

}  // namespace lacuna::app
