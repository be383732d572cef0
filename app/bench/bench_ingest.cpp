// lacuna bench ingest: a cohort of NIfTI files into a fresh cache, whole, as `lacuna ingest` does
// it (bytes synced to disk included), for each codec.
//
// Without --data the bench writes four cases of its own, as large as those of BraTS, by a formula.
// bench/peers/ingest.py does the same work in Python on the same files (--data).
#include <filesystem>
#include <vector>

#include "app/bench/bench.h"
#include "base/files/temporary_directory.h"
#include "base/random.h"
#include "data/ingest/ingest.h"
#include "data/nifti/nifti.h"

namespace lacuna::app {
namespace {

constexpr data::Extent kVolume{155, 240, 240};
constexpr int kCases = 4;

// An ellipsoid of noise on a slope, in an empty volume: compresses about as MRI does.
std::vector<std::int16_t> make_volume(std::uint64_t number) {
  Stream stream(1, Purpose::kTest, number);
  std::vector<std::int16_t> values;
  for (std::int64_t d = 0; d < kVolume[0]; ++d) {
    for (std::int64_t h = 0; h < kVolume[1]; ++h) {
      for (std::int64_t w = 0; w < kVolume[2]; ++w) {
        const std::int64_t x = d - 75, y = h - 120, z = w - 118;
        const bool head = 9 * x * x + 6 * y * y + 9 * z * z < 42000;
        const auto noise = static_cast<std::int64_t>(stream.next() % 64);
        values.push_back(static_cast<std::int16_t>(head ? 200 + 2 * d + h + noise : 0));
      }
    }
  }
  return values;
}

std::vector<std::uint8_t> make_label() {
  std::vector<std::uint8_t> values;
  for (std::int64_t d = 0; d < kVolume[0]; ++d) {
    for (std::int64_t h = 0; h < kVolume[1]; ++h) {
      for (std::int64_t w = 0; w < kVolume[2]; ++w) {
        const std::int64_t squared =
            (d - 80) * (d - 80) + (h - 100) * (h - 100) + (w - 130) * (w - 130);
        values.push_back(squared < 100 ? 4 : squared < 300 ? 1 : squared < 900 ? 2 : 0);
      }
    }
  }
  return values;
}

void make_source(const std::filesystem::path& folder) {
  const data::Profile& profile = data::find_profile("brats2021");
  data::NiftiHeader grid;
  grid.size = {kVolume[1], kVolume[2], kVolume[0]};
  grid.sform_code = 1;
  grid.sform = {{{-1, 0, 0, 0}, {0, -1, 0, 239}, {0, 0, 1, 0}}};
  FileSystem& files = posix_file_system();
  const std::vector<std::uint8_t> label = make_label();
  for (int i = 0; i < kCases; ++i) {
    const std::string id = profile.make_id(i, "");
    files.make_directories(folder / id);
    for (int m = 0; m < 4; ++m) {
      const auto volume = make_volume(static_cast<std::uint64_t>(4 * i + m));
      data::write_nifti<std::int16_t>(files, folder / id / profile.image_file(id, m), grid, volume);
    }
    data::write_nifti<std::uint8_t>(files, folder / id / profile.segmentation_file(id), grid,
                                    label);
  }
}

}  // namespace

Json run_ingest(const BenchOptions& options) {
  const TemporaryDirectory folder;
  data::IngestOptions ingest;
  ingest.input = options.data;
  if (options.data.empty()) {
    ingest.input = folder.path() / "source";
    make_source(ingest.input);
  }
  ingest.output = folder.path() / "cache";
  ingest.jobs = bench_threads(options);
  Json entries = Json::array();
  for (const char* codec : {"none", "lz4"}) {
    ingest.rules.codec = codec;
    data::IngestReport report;
    const Timing timing = measure(options, [&] {
      std::filesystem::remove_all(ingest.output);
      report = data::ingest(ingest, posix_file_system());
    });
    Json made = entry(codec, timing);
    made["cases"] = report.made;
    made["cases_per_second"] = static_cast<double>(report.made) / timing.median_seconds;
    made["source_bytes"] = report.source_bytes;
    made["cache_bytes"] = report.cache_bytes;
    entries.push_back(made);
  }
  return entries;
}

}  // namespace lacuna::app
