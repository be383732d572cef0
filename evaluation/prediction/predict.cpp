#include "evaluation/prediction/predict.h"

#include <array>
#include <cmath>
#include <span>
#include <string>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/files/file_system.h"
#include "base/files/temporary_directory.h"
#include "data/cache/case_file.h"
#include "data/ingest/ingest_case.h"
#include "data/nifti/nifti.h"
#include "evaluation/prediction/subset_evaluation.h"

namespace lacuna::evaluation {
namespace {

// Opens a case that is nowhere on disk: its bytes go to a file of the system's temporary directory,
// which is gone as soon as it is open; what is mapped stays.
data::CaseFile open_case(std::span<const std::byte> bytes) {
  const TemporaryDirectory directory;
  const std::filesystem::path path = directory / "case.h5";
  const auto file = posix_file_system().create(path);
  file->append(bytes);
  file->close();
  return data::CaseFile(path);
}

// The header of the first file that the case has: all lie on one grid, up to the order of axes, as
// ingest has checked.
data::NiftiHeader grid_of(const data::SourceCase& source) {
  for (const auto& image : source.images) {
    if (!image.empty()) return data::read_volume_header(image);
  }
  throw_error<DataError>("case {}: no image in {}", source.name.id, source.directory.string());
}

// In bits; 0 log 0 is 0.
at::Tensor binary_entropy(const at::Tensor& p) {
  return -(at::xlogy(p, p) + at::xlogy(1 - p, 1 - p)) / std::log(2.0);
}

void write_map(const std::filesystem::path& path, const data::CaseHeader& made,
               const data::NiftiHeader& grid, const at::Tensor& map) {
  const at::Tensor values = map.contiguous();
  const auto* begin = values.const_data_ptr<float>();
  const auto own =
      data::on_file_grid(std::vector<float>(begin, begin + values.numel()), made, grid);
  data::write_nifti<float>(posix_file_system(), path, grid, own);
}

void write_probabilities(const methods::Method& method, const at::Tensor& channels,
                         const std::string& id, const data::Profile& profile,
                         const data::CaseHeader& made, const data::NiftiHeader& grid,
                         const PredictOptions& options) {
  const methods::InferenceRecipe recipe = method.inference();
  at::Tensor uncertainty;
  for (const data::Region& region : profile.regions) {
    const at::Tensor p = region_probability(recipe, region, channels);
    if (!p.defined()) continue;
    if (options.probabilities) {
      write_map(options.out / fmt::format("{}_prob_{}.nii.gz", id, region.name), made, grid, p);
    }
    const at::Tensor entropy = binary_entropy(p);
    uncertainty = uncertainty.defined() ? at::maximum(uncertainty, entropy) : entropy;
  }
  if (options.uncertainty && uncertainty.defined()) {
    write_map(options.out / (id + "_uncertainty.nii.gz"), made, grid, uncertainty);
  }
}

}  // namespace

Prediction predict_case(methods::Method& method, const data::SourceCase& source,
                        const data::Profile& profile, const PredictOptions& options) {
  if (!source.problem.empty()) throw_error<DataError>("{}", source.problem);
  data::SourceCase images = source;
  images.label.clear();
  const auto ingested = data::ingest_case(
      images, profile, {"none", /*allow_missing=*/true, options.grid, options.resample});
  const data::SubsetMask available = ingested.header.info.available;
  const data::SubsetMask subset = available & options.subset;
  if (subset == 0) {
    const data::ModalitySet modalities(profile.modalities);
    throw_error<DataError>("case {}: none of {} is there; it has {}", source.name.id,
                           modalities.format(options.subset & modalities.full()),
                           modalities.format(available));
  }
  posix_file_system().make_directories(options.out);
  const data::NiftiHeader grid = grid_of(source);
  SegmentOptions segment;
  segment.patch = options.patch;
  segment.mirrored = options.mirrored;
  segment.rankseg = options.rankseg;
  if (options.probabilities || options.uncertainty) {
    segment.probabilities = [&](std::size_t, const at::Tensor& channels) {
      write_probabilities(method, channels, source.name.id, profile, ingested.header, grid,
                          options);
    };
  }
  auto labels =
      segment_subsets(method, load_volume(open_case(ingested.bytes), method), {subset}, segment)
          .front();
  const int relabelled = relabel_small_regions(options.minimums, profile.regions, labels);
  std::array<std::uint8_t, 8> values{};  // of the profile's files, by tissue
  for (const data::LabelValue& label : profile.labels) {
    values[static_cast<std::size_t>(label.tissue)] = label.value;
  }
  for (auto& label : labels) label = values[label];
  const Prediction prediction{options.out / (source.name.id + ".nii.gz"), subset, relabelled};
  labels = data::on_file_grid(std::move(labels), ingested.header, grid);
  data::write_nifti<std::uint8_t>(posix_file_system(), prediction.file, grid, labels);
  return prediction;
}

}  // namespace lacuna::evaluation
