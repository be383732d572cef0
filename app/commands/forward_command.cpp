// lacuna forward: one forward pass (and, with a label, one backward pass), to compare with another
// implementation from outside.
#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ATen/ops/cat.h>
#include <fmt/ranges.h>
#include <torch/utils.h>

#include "app/shared/command.h"
#include "base/files/tensor_file.h"
#include "base/text/json.h"
#include "base/text/options.h"
#include "methods/exchange/comparison.h"
#include "methods/exchange/fill.h"
#include "methods/exchange/tensor_exchange.h"
#include "methods/registry.h"

namespace lacuna::app {
namespace {

struct ForwardArguments {
  std::string method, weights, input, available = "all", label, phase, out;
  std::vector<std::string> settings, extras;
  std::vector<std::int64_t> size, corner;
  std::int64_t samples = 1, epoch = 0;
  double width = 1;
  bool wide = false;
};

// The seed of "fill:SEED", or nullopt for a file name.
std::optional<std::uint64_t> fill_seed(const std::string& source) {
  if (!source.starts_with("fill:")) return std::nullopt;
  std::uint64_t seed = 0;
  const char* begin = source.data() + 5;
  const char* end = source.data() + source.size();
  const auto [stop, error] = std::from_chars(begin, end, seed);
  if (error != std::errc() || stop != end) {
    throw_error<ConfigError>("{}: expected fill:SEED with a whole number, for example fill:1",
                             source);
  }
  return seed;
}

// The size of the input where the arguments give it: some networks are made for one.
std::optional<data::Extent> input_extent(const ForwardArguments& arguments) {
  if (!arguments.size.empty()) {
    return data::Extent{arguments.size[0], arguments.size[1], arguments.size[2]};
  }
  if (fill_seed(arguments.input)) return std::nullopt;
  const TensorFile file(arguments.input);
  const TensorView* input = file.find("input");
  if (input == nullptr || input->shape.size() != 5) return std::nullopt;  // refused further on
  return data::Extent{input->shape[2], input->shape[3], input->shape[4]};
}

at::Tensor read_input(const ForwardArguments& arguments, const methods::Method& method,
                      int modalities) {
  const auto seed = fill_seed(arguments.input);
  if (!seed) return methods::read_tensor(TensorFile(arguments.input), arguments.input, "input");
  std::vector<std::int64_t> shape{arguments.samples, modalities};
  if (arguments.size.empty()) {
    for (const std::int64_t extent : method.recipe().patch) shape.push_back(extent);
  } else {
    shape.insert(shape.end(), arguments.size.begin(), arguments.size.end());
  }
  // That of the published code.
  return methods::from_published_channels(method, methods::fill("input", shape, *seed));
}

// Labels of the comparison are classes 0 background, 1 necrosis, 2 oedema, 3 enhancing tumour, and
// those that the method has beyond them.
int label_classes(const methods::Method& method) {
  int classes = 4;
  for (const auto& channel : method.inference().channels) {
    classes = std::max(classes, static_cast<int>(channel.tissue) + 1);
  }
  return classes;
}

at::Tensor read_label(const std::string& source, const at::Tensor& input, int classes) {
  const auto seed = fill_seed(source);
  const std::vector<std::int64_t> shape{input.size(0), input.size(2), input.size(3), input.size(4)};
  if (seed) return methods::fill_label(shape, *seed, classes);
  const at::Tensor label = methods::read_tensor(TensorFile(source), source, "label").to(at::kByte);
  if (label.sizes() != at::IntArrayRef(shape)) {
    throw_error<ConfigError>("{}: the label's shape does not fit the input's N x D x H x W",
                             source);
  }
  if (const int highest = label.max().item<int>(); highest >= classes) {
    throw_error<ConfigError>(
        "{}: the label holds {}, allowed are classes 0 to {}. Write the enhancing tumour (4 in "
        "files up to BraTS 2021) as 3.",
        source, highest, classes - 1);
  }
  return label;
}

// What the method asks for beside image and label, NAME=SOURCE of each.
void read_extras(const std::vector<std::string>& given, const methods::Method& method,
                 at::ScalarType type, methods::Batch& batch) {
  const auto& known = method.recipe().label_maps;
  for (const std::string& extra : given) {
    const auto equals = extra.find('=');
    const std::string name = extra.substr(0, equals);
    const auto use = std::find_if(known.begin(), known.end(),
                                  [&](const data::LabelMapUse& each) { return each.name == name; });
    if (equals == std::string::npos || use == known.end()) {
      std::vector<std::string> names;
      for (const data::LabelMapUse& each : known) names.push_back(each.name);
      throw_error<ConfigError>(
          "--extra {}: expected NAME=FILE or NAME=fill:SEED; this method {}", extra,
          names.empty() ? "takes no label maps" : fmt::format("takes {}", fmt::join(names, ", ")));
    }
    const std::string source = extra.substr(equals + 1);
    const at::Tensor& image = batch.image;
    std::vector<std::int64_t> shape = image.sizes().vec();
    if (const auto seed = fill_seed(source)) {
      shape[1] *= use->classes;
      batch.extras[name] = methods::fill_input(name, shape, *seed).to(type);
      continue;
    }
    const at::Tensor maps = methods::read_tensor(TensorFile(source), source, name);
    if (maps.sizes() != at::IntArrayRef(shape)) {
      throw_error<ConfigError>("{}: {} does not have the input's shape N x M x D x H x W", source,
                               name);
    }
    if (const auto highest = maps.max().item<std::int64_t>(); highest >= use->classes) {
      throw_error<ConfigError>("{}: {} has values up to {}, the method takes {} classes (0 to {})",
                               source, name, highest, use->classes, use->classes - 1);
    }
    batch.extras[name] = maps.to(at::kByte);
  }
}

// "A,B;C,D": samples by ';', the draws of a sample by ','. -> [draw][sample]. One sample or one
// draw stands for all.
std::vector<std::vector<data::SubsetMask>> read_subsets(const std::string& text,
                                                        const data::ModalitySet& modalities,
                                                        std::size_t draws, std::size_t samples) {
  const auto parts = [](const std::string& list, char separator) {
    std::vector<std::string> result(1);
    for (const char letter : list) {
      if (letter == separator) {
        result.emplace_back();
      } else {
        result.back().push_back(letter);
      }
    }
    return result;
  };
  std::vector<std::vector<data::SubsetMask>> subsets(draws, std::vector<data::SubsetMask>(samples));
  const std::vector<std::string> each = parts(text, ';');
  if (each.size() != 1 && each.size() != samples) {
    throw_error<ConfigError>("--available {}: {} samples (separated by ;), but the input has {}",
                             text, each.size(), samples);
  }
  for (std::size_t n = 0; n < samples; ++n) {
    const std::vector<std::string> drawn = parts(each[each.size() == 1 ? 0 : n], ',');
    if (drawn.size() != 1 && drawn.size() != draws) {
      throw_error<ConfigError>(
          "--available {}: {} subsets for a sample (separated by ,), but this method draws {}",
          text, drawn.size(), draws);
    }
    for (std::size_t d = 0; d < draws; ++d) {
      subsets[d][n] = modalities.parse(drawn[drawn.size() == 1 ? 0 : d]);
    }
  }
  return subsets;
}

void check_input(const at::Tensor& input, int modalities) {
  if (input.dim() != 5 || input.size(1) != modalities) {
    throw_error<ConfigError>("the input needs 5 dimensions, N x {} x D x H x W", modalities);
  }
}

// The phases to run: the one asked for, or every phase of the last stage that takes training cases.
std::vector<std::string> phases_of(const methods::Method& method, const std::string& wanted) {
  if (!wanted.empty()) return {wanted};
  std::vector<std::string> names;
  const std::vector<methods::Stage> stages = method.stages(1000);
  for (const methods::Phase& phase : stages.back().phases) {
    if (!phase.on_meta_set) names.push_back(phase.name);
  }
  return names;
}

void run(const ForwardArguments& arguments) {
  const data::ModalitySet modalities({"FLAIR", "T1", "T1c", "T2"});
  Json options = Json::object();
  for (const std::string& setting : arguments.settings) set_path(options, setting);
  const auto method = methods::make_method(arguments.method, modalities, arguments.width, options,
                                           input_extent(arguments));
  if (const auto seed = fill_seed(arguments.weights)) {
    methods::fill_weights(*method, *seed);
  } else {
    methods::import_weights(*method, arguments.weights);
  }
  const at::ScalarType type = arguments.wide ? at::kDouble : at::kFloat;
  method->module().to(type);
  at::Tensor input = read_input(arguments, *method, modalities.size());
  check_input(input, modalities.size());
  input = input.to(type);
  const auto samples = static_cast<std::size_t>(input.size(0));
  const auto subsets = read_subsets(arguments.available, modalities,
                                    static_cast<std::size_t>(method->recipe().draws), samples);

  data::Extent corner{};
  std::copy(arguments.corner.begin(), arguments.corner.end(), corner.begin());
  if (arguments.label.empty()) {
    const torch::NoGradGuard no_grad;
    method->module().eval();
    std::vector<at::Tensor> outputs;
    const methods::WindowPlace place{.corner = corner, .corner_in_box = corner};
    for (std::size_t n = 0; n < samples; ++n) {
      if (subsets.back()[n] != subsets.front()[n]) {
        throw_error<ConfigError>(
            "--available {}: several subsets for a sample need --label, since the forward pass "
            "takes one",
            arguments.available);
      }
      const at::Tensor image = input.narrow(0, static_cast<std::int64_t>(n), 1);
      // forward() is the published pass; what depends on the place is asked as evaluation does.
      outputs.push_back(arguments.corner.empty() ? method->forward(image, subsets.front()[n])
                                                 : method->decode(method->encode_at(image, place),
                                                                  {subsets.front()[n]})[0]);
    }
    methods::write_tensors(arguments.out, {{"output", at::cat(outputs)}});
    return;
  }
  methods::Batch batch;
  batch.image = input;
  batch.label = read_label(arguments.label, input, label_classes(*method));
  batch.subsets = subsets;
  read_extras(arguments.extras, *method, type, batch);
  batch.origin.assign(samples, corner);
  methods::Progress progress;
  progress.steps = methods::find_method(arguments.method).epochs;
  progress.stage_step = arguments.epoch;
  method->module().train();
  Json report = Json::array();
  std::vector<std::pair<std::string, at::Tensor>> outputs;
  for (const std::string& phase : phases_of(*method, arguments.phase)) {
    const methods::Comparison result = methods::compare_phase(*method, phase, batch, progress);
    Json losses = Json::object(), gradients = Json::object();
    for (const auto& [name, value] : result.losses) losses[name] = value;
    for (const auto& [name, norm] : result.gradients) {
      gradients[name] = norm ? Json(*norm) : Json(nullptr);
    }
    report.push_back({{"phase", phase}, {"losses", losses}, {"gradients", gradients}});
    if (outputs.empty() && result.output.defined()) outputs.emplace_back("output", result.output);
  }
  methods::write_tensors(arguments.out, outputs);
  // One phase is one object; several come one after the other.
  fmt::print("{}\n", (report.size() == 1 ? report.front() : report).dump(2));
}

}  // namespace

void add_forward(CLI::App& program, ExitCode&) {
  auto* command =
      program.add_subcommand("forward", "One forward pass, for comparison from outside");
  auto arguments = std::make_shared<ForwardArguments>();
  command->add_option("--method", arguments->method, "Method: lacuna methods")->required();
  command->add_option("--set", arguments->settings, "An option of the method: official=true")
      ->allow_extra_args(false);
  command
      ->add_option("--weights", arguments->weights,
                   "safetensors with the published names, or fill:SEED")
      ->required();
  command
      ->add_option("--input", arguments->input,
                   "safetensors with tensor input (N, FLAIR T1 T1c T2, D, H, W), or fill:SEED "
                   "(channels in the order of the published code)")
      ->required();
  command->add_option("--size", arguments->size, "D,H,W of a filled input (default: the patch)")
      ->delimiter(',')
      ->expected(3);
  command
      ->add_option("--corner", arguments->corner,
                   "D,H,W of the input's first voxel in the full volume, for methods that depend "
                   "on it (default: 0,0,0)")
      ->delimiter(',')
      ->expected(3);
  command->add_option("--samples", arguments->samples, "N of a filled input")
      ->check(CLI::Range(1, 64));
  command
      ->add_option("--available", arguments->available,
                   "Modalities: FLAIR+T1c, or all; A;B per sample, A,B per draw of a method that "
                   "draws several subsets")
      ->capture_default_str();
  command->add_option("--label", arguments->label,
                      "safetensors with tensor label (N, D, H, W), or fill:SEED: prints losses and "
                      "gradient norms as JSON");
  command
      ->add_option("--extra", arguments->extras,
                   "NAME=FILE: label maps of the method, safetensors with tensor NAME (N, FLAIR T1 "
                   "T1c T2, D, H, W); NAME=fill:SEED: a value for each class and modality "
                   "(class-major, modalities as published)")
      ->allow_extra_args(false);
  command->add_option("--phase", arguments->phase,
                      "Phase whose loss is computed (default: all but meta phases)");
  command->add_option("--epoch", arguments->epoch, "Epoch, for ramps")->capture_default_str();
  command->add_option("--width", arguments->width, "Factor on channels")->capture_default_str();
  command->add_flag("--double", arguments->wide, "Compute in float64");
  command->add_option("--out", arguments->out, "safetensors to write: tensor output")->required();
  command->footer(
      "Example: lacuna forward --method mckd --weights fill:1 --input fill:1 --size 80,32,64 "
      "--available T1c+T2 --label fill:1 --double --out y.safetensors");
  command->callback([arguments] { run(*arguments); });
}

}  // namespace lacuna::app
