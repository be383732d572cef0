// lacuna bench eval: one case segmented under all subsets of modalities,
// features encoded once.
//
// The case is a random volume of two windows; bench/peers/eval.py makes one
// forward pass per subset and window instead.
#include <ATen/Parallel.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "app/bench/bench.h"
#include "evaluation/prediction/sliding_window.h"
#include "evaluation/prediction/subset_evaluation.h"
#include "methods/registry.h"

namespace lacuna::app {

Json run_eval(const BenchOptions& options) {
  at::set_num_threads(bench_threads(options));
  const data::ModalitySet modalities{{"FLAIR", "T1", "T1c", "T2"}};
  const auto subsets = modalities.subsets();
  const auto [depth, height, width] = options.patch;
  Json entries = Json::array();
  for (const std::string& name : options.methods) {
    const auto method =
        methods::make_method(name, modalities, options.width, Json::object(), options.patch);
    torch::manual_seed(1);
    method->initialise();
    const at::Tensor image = torch::randn({1, modalities.size(), depth + depth / 2, height, width});
    const Timing timing = measure(options, [&] {
      method->invalidate_evaluation_cache();
      evaluation::segment_subsets(*method, image, subsets, options.patch);
    });
    Json made = entry(name, timing);
    if (options.by_subset) {
      const Timing alone = measure(options, [&] {
        for (const auto subset : subsets) {
          method->invalidate_evaluation_cache();
          evaluation::segment_subsets(*method, image, {subset}, options.patch);
        }
      });
      made["by_subset_seconds"] = alone.median_seconds;
      made["gain"] = alone.cpu_seconds / timing.cpu_seconds;
    }
    made["subsets"] = subsets.size();
    made["windows"] =
        evaluation::window_starts(image.size(2), depth, method->inference().overlap).size();
    made["peak_bytes"] = peak_resident_bytes();
    entries.push_back(made);
  }
  return entries;
}

}  // namespace lacuna::app
