// lacuna weights import|export|list: weights of the published code <-> checkpoints of Lacuna.
#include <memory>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "app/shared/command.h"
#include "base/text/json.h"
#include "base/text/options.h"
#include "base/text/text_table.h"
#include "methods/exchange/tensor_exchange.h"
#include "methods/registry.h"
#include "worker/run/import_checkpoint.h"
#include "worker/run/run_config.h"
#include "worker/run/run_directory.h"
#include "worker/state/training_state.h"

namespace lacuna::app {
namespace {

struct WeightsArguments {
  std::string run_file, in, out, source, method;
  double width = 1;
};

void import(const WeightsArguments& arguments) {
  const worker::RunConfig config =
      worker::resolve_run(read_json(arguments.run_file), arguments.run_file);
  const auto report = worker::import_checkpoint(config, arguments.in, arguments.out);
  fmt::print("{} tensors read, {} ignored{}\nNext: lacuna eval {} --data CACHE\n", report.loaded,
             report.ignored.size(),
             report.ignored.empty() ? "" : fmt::format(" ({})", fmt::join(report.ignored, ", ")),
             arguments.out);
}

void export_to(const WeightsArguments& arguments) {
  const worker::LoadedModel model = worker::load_model(arguments.source);
  const auto tensors = worker::named_tensors(*model.method);
  methods::write_tensors(arguments.out, tensors);
  fmt::print("{} tensors of step {} written to {}\n", tensors.size(), model.step, arguments.out);
}

void list(const WeightsArguments& arguments) {
  const auto method =
      methods::make_method(arguments.method, data::ModalitySet({"FLAIR", "T1", "T1c", "T2"}),
                           arguments.width, Json::object());
  std::int64_t total = 0;
  TextTable table({{}, {}});
  for (const auto& [name, tensor] : worker::named_tensors(*method)) {
    table.add({name, fmt::format("{}", fmt::join(tensor.sizes().vec(), "x"))});
    total += tensor.numel();
  }
  fmt::print("{}total {}\n", table.text(), total);
  for (const auto& prefix : method->ignored_official_names()) {
    fmt::print("ignored on import: {}*\n", prefix);
  }
}

}  // namespace

void add_weights(CLI::App& program, ExitCode&) {
  auto* command = program.add_subcommand("weights", "Published weights <-> checkpoints");
  command->require_subcommand(1);
  auto arguments = std::make_shared<WeightsArguments>();

  auto* in = command->add_subcommand("import", "Published weights as a run that can be evaluated");
  in->add_option("run", arguments->run_file, "Run file: method, options, width")->required();
  in->add_option("--in", arguments->in, "safetensors with the published state_dict names")
      ->required();
  in->add_option("--out", arguments->out, "Run directory to make")->required();
  in->footer("Example: lacuna weights import run.json --in mckd.safetensors --out runs/published");
  in->callback([arguments] { import(*arguments); });

  auto* out = command->add_subcommand("export", "Weights under the published names");
  out->add_option("source", arguments->source, "Run directory or checkpoint")->required();
  out->add_option("--out", arguments->out, "safetensors file to write")->required();
  out->footer("Example: lacuna weights export runs/mckd --out mckd.safetensors");
  out->callback([arguments] { export_to(*arguments); });

  auto* all = command->add_subcommand("list", "Names and shapes of a method's tensors");
  all->add_option("method", arguments->method, "Method")->required();
  all->add_option("--width", arguments->width, "Factor on channels")->capture_default_str();
  all->footer("Example: lacuna weights list mckd");
  all->callback([arguments] { list(*arguments); });
}

}  // namespace lacuna::app
