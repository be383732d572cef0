#include "evaluation/prediction/overlay.h"

#include <algorithm>
#include <span>
#include <string>
#include <utility>

#include <fmt/ranges.h>

#include "base/files/tensor_file.h"
#include "data/cache/case_file.h"
#include "evaluation/statistics/summary.h"

namespace lacuna::evaluation {
namespace {

using Pixels = std::vector<std::uint8_t>;

std::int64_t slice_size(const data::CaseInfo& info) {
  return info.full_extent[1] * info.full_extent[2];
}

// The axial slice with the most tumour; the middle one when there is none.
std::int64_t fullest_slice(const data::CaseInfo& info, const Pixels& label) {
  std::int64_t best = info.full_extent[0] / 2, most = 0;
  for (std::int64_t d = 0; d < info.full_extent[0]; ++d) {
    const auto begin = label.begin() + d * slice_size(info);
    const std::int64_t voxels =
        slice_size(info) - std::count(begin, begin + slice_size(info), std::uint8_t{0});
    if (voxels > most) {
      most = voxels;
      best = d;
    }
  }
  return best;
}

// Stretches the 1st to 99th percentile of what is not background over 0..255.
Pixels to_pixels(const std::vector<float>& values, double background) {
  std::vector<float> inside;
  for (const float value : values) {
    if (value != static_cast<float>(background)) inside.push_back(value);
  }
  Pixels pixels(values.size(), 0);
  if (inside.empty()) return pixels;
  std::sort(inside.begin(), inside.end());
  const float low = inside[inside.size() / 100];
  const float high = inside[inside.size() - 1 - inside.size() / 100];
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] == static_cast<float>(background)) continue;
    const float position = high > low ? (values[i] - low) / (high - low) : 1.0f;
    pixels[i] = static_cast<std::uint8_t>(255 * std::clamp(position, 0.0f, 1.0f));
  }
  return pixels;
}

// Over all evaluated subsets; -1 when the case was not scored.
double mean_dice(const std::vector<CaseScore>& scores, const std::string& case_id) {
  double sum = 0;
  int count = 0;
  for (const CaseScore& score : scores) {
    if (score.case_id != case_id) continue;
    sum += mean_dice(score);
    ++count;
  }
  return count > 0 ? sum / count : -1;
}

TensorView view(const std::string& name, std::vector<std::int64_t> shape, const Pixels& pixels) {
  return {name, DType::kU8, std::move(shape), std::as_bytes(std::span(pixels))};
}

}  // namespace

std::vector<data::SubsetMask> shown_subsets(const data::ModalitySet& modalities) {
  std::vector<data::SubsetMask> subsets{modalities.full()};
  for (int m = 0; m < modalities.size() && modalities.size() > 1; ++m) {
    subsets.push_back(data::SubsetMask{1} << m);
  }
  return subsets;
}

OverlayWriter::OverlayWriter(const data::Cohort& cohort)
    : cohort_(cohort), shown_(shown_subsets(cohort.modalities)) {}

void OverlayWriter::keep(int case_index, data::SubsetMask subset, const Pixels& segmentation) {
  if (std::find(shown_.begin(), shown_.end(), subset) == shown_.end()) return;
  const data::CaseInfo& info = cohort_.cases.at(static_cast<std::size_t>(case_index));
  const auto [entry, first] = kept_.try_emplace(case_index);
  Kept& kept = entry->second;
  const auto cut = [&](const Pixels& volume) {
    const auto begin = volume.begin() + kept.slice * slice_size(info);
    return Pixels(begin, begin + slice_size(info));
  };
  if (first) {
    Pixels label(static_cast<std::size_t>(info.full_extent[0] * slice_size(info)));
    data::CaseFile(cohort_, info).read_label({0, 0, 0}, info.full_extent, label.data());
    kept.slice = fullest_slice(info, label);
    kept.truth = cut(label);
  }
  kept.predictions[subset] = cut(segmentation);
}

void OverlayWriter::pack(Packer& packer) const {
  packer.put(std::uint64_t{kept_.size()});
  for (const auto& [index, kept] : kept_) {
    packer.put(index);
    packer.put(kept.slice);
    packer.put(kept.truth);
    packer.put(std::uint64_t{kept.predictions.size()});
    for (const auto& [subset, pixels] : kept.predictions) {
      packer.put(subset);
      packer.put(pixels);
    }
  }
}

void OverlayWriter::unpack(Unpacker& unpacker) {
  for (auto count = unpacker.take<std::uint64_t>(); count > 0; --count) {
    Kept& kept = kept_[unpacker.take<int>()];
    kept.slice = unpacker.take<std::int64_t>();
    kept.truth = unpacker.take_list<std::uint8_t>();
    for (auto subsets = unpacker.take<std::uint64_t>(); subsets > 0; --subsets) {
      const auto subset = unpacker.take<data::SubsetMask>();
      kept.predictions[subset] = unpacker.take_list<std::uint8_t>();
    }
  }
}

void OverlayWriter::write(FileSystem& files, const Path& directory,
                          const std::vector<CaseScore>& scores) const {
  std::vector<std::pair<double, int>> order;
  for (const auto& [index, kept] : kept_) {
    const double mean = mean_dice(scores, cohort_.cases[static_cast<std::size_t>(index)].id);
    if (mean >= 0) order.emplace_back(mean, index);
  }
  if (order.empty()) return;
  const auto [worst, best] = std::minmax_element(order.begin(), order.end());
  files.make_directories(directory);
  write_case(files, directory / "best.safetensors", best->second, scores);
  if (worst->second != best->second) {
    write_case(files, directory / "worst.safetensors", worst->second, scores);
  }
}

void OverlayWriter::write_case(FileSystem& files, const Path& path, int case_index,
                               const std::vector<CaseScore>& scores) const {
  const data::CaseInfo& info = cohort_.cases[static_cast<std::size_t>(case_index)];
  const Kept& kept = kept_.at(case_index);
  const data::CaseFile file(cohort_, info);
  const std::int64_t height = info.full_extent[1], width = info.full_extent[2];
  Pixels image, predictions;
  std::vector<std::string> subsets, dice;
  for (int m = 0; m < cohort_.modalities.size(); ++m) {
    std::vector<float> values(static_cast<std::size_t>(height * width));
    file.read_image(m, {kept.slice, 0, 0}, {1, height, width}, values.data());
    const Pixels pixels = to_pixels(values, file.statistics(m).background);
    image.insert(image.end(), pixels.begin(), pixels.end());
  }
  for (const data::SubsetMask subset : shown_) {
    const auto found = kept.predictions.find(subset);
    if (found == kept.predictions.end()) continue;
    predictions.insert(predictions.end(), found->second.begin(), found->second.end());
    subsets.push_back(cohort_.modalities.format(subset));
    const auto score = std::find_if(scores.begin(), scores.end(), [&](const CaseScore& each) {
      return each.case_id == info.id && each.subset == subset;
    });
    dice.push_back(score == scores.end() ? "" : fmt::format("{:.6f}", mean_dice(*score)));
  }
  const auto shown = static_cast<std::int64_t>(subsets.size());
  const std::vector<std::byte> bytes =
      encode_tensors({view("image", {cohort_.modalities.size(), height, width}, image),
                      view("predictions", {shown, height, width}, predictions),
                      view("truth", {height, width}, kept.truth)},
                     {{"case", info.id},
                      {"slice", std::to_string(kept.slice)},
                      {"modalities", fmt::format("{}", fmt::join(cohort_.modalities.names(), ","))},
                      {"subsets", fmt::format("{}", fmt::join(subsets, ","))},
                      {"dice", fmt::format("{}", fmt::join(dice, ","))},
                      {"mean_dice", fmt::format("{:.6f}", mean_dice(scores, info.id))}});
  write_durably(files, path, bytes);
}

}  // namespace lacuna::evaluation
