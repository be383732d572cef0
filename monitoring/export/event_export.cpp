#include "monitoring/export/event_export.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/files/event_file.h"
#include "base/files/json_lines.h"
#include "base/metrics/line_scalars.h"
#include "base/process/clock.h"
#include "base/process/host.h"
#include "base/text/options.h"
#include "base/text/parse_json.h"
#include "monitoring/report/overlay_picture.h"
#include "monitoring/report/run_record.h"

namespace lacuna::monitoring {
namespace {

// The keys that decide a result, as one level of names. Lists and nulls become text.
void flatten(const Json& object, const std::string& prefix, Json& flat) {
  for (const auto& [key, value] : object.items()) {
    const std::string name = prefix.empty() ? key : prefix + "." + key;
    if (value.is_object()) {
      flatten(value, name, flat);
    } else if (value.is_number() || value.is_boolean() || value.is_string()) {
      flat[name] = value;
    } else {
      flat[name] = value.dump();
    }
  }
}

Json hyperparameters(const RunRecord& run) {
  Json flat = Json::object();
  for (const char* section :
       {"method", "method_options", "train", "subsets", "model", "meta", "init"}) {
    if (!run.config.contains(section)) continue;
    flatten({{section, run.config[section]}}, "", flat);
  }
  if (const Json* split = find_path(run.config, "data.split")) flat["data.split"] = *split;
  return flat;
}

// What an evaluation adds: means as scalars at the run's last step, its overlays as images.
void add_evaluation(EventFile& file, double when, std::int64_t step,
                    const EvaluationRecord& evaluation) {
  std::vector<Scalar> scalars;
  for (const Metric metric : {Metric::kDice, Metric::kHd95}) {
    const std::string group = evaluation.name + (metric == Metric::kDice ? "_dice" : "_hd95_mm");
    for (std::size_t region = 0; region < evaluation.regions().size(); ++region) {
      scalars.push_back(
          {group + "/" + evaluation.regions()[region], evaluation.mean_of_region(metric, region)});
    }
    scalars.push_back({group + "/mean", evaluation.mean(metric)});
    for (const data::SubsetMask subset : evaluation.modalities.subsets()) {
      double sum = 0;
      for (std::size_t region = 0; region < evaluation.regions().size(); ++region) {
        sum += evaluation.mean(metric, subset, region);
      }
      scalars.push_back({group + "_by_subset/" + evaluation.modalities.format(subset),
                         sum / static_cast<double>(evaluation.regions().size())});
    }
  }
  std::erase_if(scalars, [](const Scalar& scalar) { return std::isnan(scalar.value); });
  file.scalars(when, step, scalars);
  for (const std::string which : {"best", "worst"}) {
    const Path path = evaluation.directory / "overlays" / (which + ".safetensors");
    if (!exists(path)) continue;
    const Overlay overlay = read_overlay(path);
    const auto add = [&](const std::string& name, const Image& image) {
      file.picture(when, step,
                   {.tag = fmt::format("{}_{}/{}", evaluation.name, which, name),
                    .width = image.width,
                    .height = image.height,
                    .channels = image.channels,
                    .png = encode_png(image)});
    };
    add("truth", paint(overlay, overlay.images.at(0), overlay.truth, /*outline=*/false));
    for (std::size_t s = 0; s < overlay.subsets.size(); ++s) {
      add(overlay.subsets[s],
          paint(overlay, overlay.images.at(0), overlay.predictions[s], /*outline=*/true));
    }
  }
}

}  // namespace

void export_events(const Path& directory_of_run, const Path& directory) {
  const RunRecord run = read_run(directory_of_run);
  FileSystem& files = posix_file_system();
  files.make_directories(directory);
  const double start = parse_utc(field_or(run.provenance, "started", std::string()))
                           .value_or(steady_clock().unix_seconds());
  const std::string name = event_file_name(start, host_name());
  // TensorBoard takes every file with "tfevents" in its name.
  const Path unfinished = directory / ".partial";
  std::filesystem::remove(unfinished);
  double when = start;
  bool whole = true;
  {
    EventFile file(unfinished, start);
    file.hyperparameters(start, hyperparameters(run));
    std::int64_t last = 0;
    for_each_json_line(directory_of_run / "metrics.jsonl", [&](const Json& line) {
      const std::int64_t step = field_or<std::int64_t>(line, "step", last);
      if (const Json* each = find_path(line, "seconds.step"); each && each->is_number()) {
        when += each->get<double>() * static_cast<double>(std::max<std::int64_t>(step - last, 0));
      }
      last = step;
      for (const ScalarsAtStep& at : line_scalars(line)) file.scalars(when, at.step, at.values);
    });
    for (const EvaluationRecord& evaluation : run.evaluations) {
      add_evaluation(file, when, run.last_step, evaluation);
    }
    whole = file.sync();
  }
  if (!whole) {
    std::filesystem::remove(unfinished);
    throw_error<DataError>("{}: the events could not be written. Free space and export again.",
                           directory.string());
  }
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().filename().string().starts_with("events.out.tfevents.")) {
      std::filesystem::remove(entry.path());
    }
  }
  std::filesystem::rename(unfinished, directory / name);
}

}  // namespace lacuna::monitoring
