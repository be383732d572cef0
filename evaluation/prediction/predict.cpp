#include "evaluation/prediction/predict.h"

#include <array>
#include <system_error>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/files/file_system.h"
#include "data/cache/case_file.h"
#include "data/ingest/ingest_case.h"
#include "data/nifti/nifti.h"
#include "evaluation/prediction/subset_evaluation.h"

namespace lacuna::evaluation {
namespace {

// A case file that exists only while it is read.
class PassingFile {
 public:
  PassingFile(std::filesystem::path path, std::span<const std::byte> bytes)
      : path_(std::move(path)) {
    const auto file = posix_file_system().create(path_);
    file->append(bytes);
    file->close();
  }
  ~PassingFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  PassingFile(const PassingFile&) = delete;
  PassingFile& operator=(const PassingFile&) = delete;

 private:
  std::filesystem::path path_;
};

// The header of the first file that the case has: all lie on one grid, as ingest has checked.
data::NiftiHeader grid_of(const data::SourceCase& source) {
  for (const auto& image : source.images) {
    if (!image.empty()) return data::NiftiFile(image).header();
  }
  throw_error<DataError>("case {}: no image in {}", source.name.id, source.directory.string());
}

}  // namespace

Prediction predict_case(methods::Method& method, const data::SourceCase& source,
                        const data::Profile& profile, const PredictOptions& options) {
  if (!source.problem.empty()) throw_error<DataError>("{}", source.problem);
  data::SourceCase images = source;
  images.label.clear();
  const auto ingested = data::ingest_case(images, profile, {"none", /*allow_missing=*/true});
  const data::SubsetMask available = ingested.header.info.available;
  const data::SubsetMask subset = available & options.subset;
  if (subset == 0) {
    const data::ModalitySet modalities(profile.modalities);
    throw_error<DataError>("case {}: none of {} is there; it has {}", source.name.id,
                           modalities.format(options.subset & modalities.full()),
                           modalities.format(available));
  }
  posix_file_system().make_directories(options.out);
  const auto path = options.out / (source.name.id + ".h5.partial");
  const PassingFile passing(path, ingested.bytes);
  auto labels =
      segment_subsets(method, load_volume(data::CaseFile(path), method), {subset}, options.patch)
          .front();
  std::array<std::uint8_t, 8> values{};  // of the profile's files, by tissue
  for (const data::LabelValue& label : profile.labels) {
    values[static_cast<std::size_t>(label.tissue)] = label.value;
  }
  for (auto& label : labels) label = values[label];
  const Prediction prediction{options.out / (source.name.id + ".nii.gz"), subset};
  data::write_nifti<std::uint8_t>(posix_file_system(), prediction.file, grid_of(source), labels);
  return prediction;
}

}  // namespace lacuna::evaluation
