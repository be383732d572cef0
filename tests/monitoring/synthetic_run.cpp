#include "tests/monitoring/synthetic_run.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/files/tensor_file.h"
#include "base/random.h"
#include "base/text/json.h"
#include "data/types/modality.h"

namespace lacuna::monitoring {
namespace {

namespace fs = std::filesystem;
const data::ModalitySet kModalities({"FLAIR", "T1", "T1c", "T2"});

void write_text(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) result += c == '"' ? std::string("\"\"") : std::string(1, c);
  return result + "\"";
}

void write_configuration(const fs::path& directory, const SyntheticRun& run) {
  const Json config = {
      {"method", run.method},
      {"data", {{"cache", "cache"}, {"split", "fold0"}}},
      {"train", {{"seed", run.seed}, {"steps", run.logged_steps * 10}, {"batch", 2}}},
      {"provenance",
       {{"host", "laptop"},
        {"torch", "2.11.0"},
        {"commit", "0123456789"},
        {"cohort",
         {{"profile", "brats2018"},
          {"fingerprint", "00c0ffee00c0ffee"},
          {"cases", run.cohort_cases}}}}}};
  write_text(directory / "run.json", config.dump(2));
  write_text(directory / "events.jsonl",
             "{\"time\":\"2026-01-02T03:04:05Z\",\"event\":\"start\",\"step\":0}\n"
             "{\"time\":\"2026-01-02T04:04:05Z\",\"event\":\"done\",\"step\":2000}\n");
}

void write_metrics(const fs::path& directory, const SyntheticRun& run) {
  Stream noise(run.seed, Purpose::kTest, 1);
  std::string text;
  for (int i = 1; i <= run.logged_steps; ++i) {
    const double t = static_cast<double>(i) / run.logged_steps;
    const double dice = 0.25 + 0.7 * std::exp(-4 * t) + 0.03 * noise.normal();
    const double entropy = 0.1 + 0.6 * std::exp(-6 * t) + 0.02 * noise.normal();
    Json line = {{"step", 10 * i},
                 {"stage", t < 0.6 ? "full" : "random"},
                 {"loss", dice + entropy},
                 {"losses", {{"dice", dice}, {"cross_entropy", entropy}}},
                 {"lr", 0.01 * std::pow(1 - 0.99 * t, 0.9)},
                 {"learning_rates", {{"network", 0.01 * std::pow(1 - 0.99 * t, 0.9)}}},
                 {"samples_per_second", 5.5 + 0.2 * noise.normal()}};
    if (run.importance) {
      const double t1c = 0.25 + 0.2 * t, flair = 0.25 + 0.2 * t * (1 - t), rest = 1 - t1c - flair;
      line["diagnostics"] = {{"importance/FLAIR", flair},
                             {"importance/T1", 0.45 * rest},
                             {"importance/T1c", t1c},
                             {"importance/T2", 0.55 * rest}};
    }
    if (i % 20 == 0) line["validation"] = {{"score", run.skill * (1 - std::exp(-3 * t))}};
    text += line.dump() + "\n";
  }
  write_text(directory / "metrics.jsonl", text);
}

// Enhancing tumour shows in T1c, oedema in FLAIR and T2: what makes missing modalities matter.
double expected_dice(const SyntheticRun& run, data::SubsetMask subset, int region) {
  const bool flair = subset & 1u, t1c = subset & 4u, t2 = subset & 8u;
  double dice = run.skill - run.penalty * (4 - data::count(subset));
  if (region == 0) dice -= t1c ? 0.05 : 0.30;
  if (region == 1) dice -= t1c ? 0.02 : 0.15;
  if (region == 2) dice += (flair || t2) ? 0.05 : -0.12;
  return dice;
}

void write_cases(const fs::path& directory, const SyntheticRun& run) {
  static const char* const kRegions[] = {"ET", "TC", "WT"};
  std::string text = "case,institution,subset,region,dice,hd95_mm,predicted_voxels,true_voxels\n";
  for (int c = 0; c < run.cases; ++c) {
    Stream difficulty(7, Purpose::kTest, static_cast<std::uint64_t>(c));
    const double hard = 0.06 * difficulty.normal();
    for (const data::SubsetMask subset : kModalities.subsets()) {
      Stream noise(run.seed, Purpose::kTest, static_cast<std::uint64_t>(c), subset + 100);
      for (int region = 0; region < 3; ++region) {
        const double dice =
            std::clamp(expected_dice(run, subset, region) - hard + 0.03 * noise.normal(), 0.0, 1.0);
        text +=
            fmt::format("{},{},{},{},{:.17g},{:.17g},1000,1100\n",
                        quoted(fmt::format("{}{:03}", run.case_prefix, c)),
                        quoted(c % 2 == 0 ? run.institution : "site B"), kModalities.format(subset),
                        kRegions[region], dice, 3 + 40 * (1 - dice));
      }
    }
  }
  write_text(directory / "cases.csv", text);
  write_text(directory / "summary.json",
             Json({{"modalities", kModalities.names()}, {"hd95_definition", "directed"}}).dump());
}

// A round head with a tumour of nested balls, seen in four contrasts.
void write_overlay(const fs::path& path, const std::string& case_id, double error) {
  constexpr int kSize = 120;
  std::vector<std::uint8_t> image(4 * kSize * kSize), truth(kSize * kSize),
      predictions(5 * kSize * kSize);
  Stream noise(3, Purpose::kTest, 9);
  const auto tissue = [](double x, double y, double scale) -> std::uint8_t {
    const double r = std::hypot(x - 75, y - 50) / scale;
    return r < 7 ? 1 : r < 13 ? 3 : r < 22 ? 2 : 0;
  };
  for (int y = 0; y < kSize; ++y) {
    for (int x = 0; x < kSize; ++x) {
      const auto i = static_cast<std::size_t>(y * kSize + x);
      if (std::hypot((x - 60) / 46.0, (y - 60) / 55.0) > 1) continue;
      truth[i] = tissue(x, y, 1);
      const double matter = 90 + 30 * std::sin(x / 9.0) * std::cos(y / 7.0);
      const double lift[4][4] = {
          {0, 40, 90, 60}, {0, -30, -25, -20}, {0, -20, 5, 110}, {0, 70, 80, 50}};
      for (int m = 0; m < 4; ++m) {
        const double value = matter + lift[m][truth[i]] + 6 * noise.normal();
        image[static_cast<std::size_t>(m * kSize * kSize) + i] =
            static_cast<std::uint8_t>(std::clamp(value, 0.0, 255.0));
      }
      for (int s = 0; s < 5; ++s) {
        predictions[static_cast<std::size_t>(s * kSize * kSize) + i] =
            tissue(x + error * s * 2, y, 1 + error * s * 0.2);
      }
    }
  }
  const auto view = [](const char* name, std::vector<std::int64_t> shape, const auto& data) {
    return TensorView{name, DType::kU8, std::move(shape), std::as_bytes(std::span(data))};
  };
  const auto bytes = encode_tensors(
      {view("image", {4, kSize, kSize}, image), view("predictions", {5, kSize, kSize}, predictions),
       view("truth", {kSize, kSize}, truth)},
      {{"case", case_id},
       {"slice", "61"},
       {"modalities", "FLAIR,T1,T1c,T2"},
       {"subsets", "FLAIR+T1+T1c+T2,FLAIR,T1,T1c,T2"},
       {"dice", "0.91,0.62,0.41,0.7,0.55"},
       {"mean_dice", "0.66"}});
  write_text(path, std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

}  // namespace

void write_synthetic_run(const fs::path& directory, const SyntheticRun& run) {
  const fs::path evaluation = directory / "eval" / "fold0-test";
  fs::create_directories(evaluation / "overlays");
  write_configuration(directory, run);
  write_metrics(directory, run);
  write_cases(evaluation, run);
  if (!run.overlays) return;
  write_overlay(evaluation / "overlays" / "best.safetensors", run.case_prefix + "001", 0.5);
  write_overlay(evaluation / "overlays" / "worst.safetensors", run.case_prefix + "004", 2);
}

std::vector<fs::path> write_hundred_runs(const fs::path& directory) {
  std::vector<fs::path> runs;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    SyntheticRun run;
    run.method = seed % 3 ? "mckd" : "unet";
    run.seed = seed;
    run.cases = 2;
    run.logged_steps = 50;
    runs.push_back(directory / ("run" + std::to_string(seed)));
    write_synthetic_run(runs.back(), run);
  }
  return runs;
}

}  // namespace lacuna::monitoring
