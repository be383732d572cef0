// lacuna methods [NAME]: what is built in; for one method its source, parameters, stages, options.
#include <map>
#include <memory>
#include <sstream>
#include <string>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "app/shared/command.h"
#include "base/text/json.h"
#include "base/text/text_table.h"
#include "methods/registry.h"

namespace lacuna::app {
namespace {

// Parameters per part of the network: the first component of their names.
std::vector<std::pair<std::string, std::int64_t>> count_parameters(methods::Method& method) {
  std::vector<std::pair<std::string, std::int64_t>> parts;
  for (const auto& item : method.module().named_parameters()) {
    const std::string part = item.key().substr(0, item.key().find('.'));
    if (parts.empty() || parts.back().first != part) parts.emplace_back(part, 0);
    parts.back().second += item.value().numel();
  }
  return parts;
}

const char* optimizer_name(methods::OptimizerSpec::Kind kind) {
  switch (kind) {
    case methods::OptimizerSpec::Kind::kSgd:
      return "SGD";
    case methods::OptimizerSpec::Kind::kAdam:
      return "Adam";
    case methods::OptimizerSpec::Kind::kAdamW:
      return "AdamW";
  }
  return "";
}

// The network's axes by their names in the volume.
std::string axes_of(const methods::Method& method) {
  std::vector<std::string> names;
  for (const std::int64_t axis : method.recipe().axes) {
    names.emplace_back(1, "DHW"[static_cast<std::size_t>(axis)]);
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

Json describe(const methods::MethodEntry& entry) {
  const auto method = methods::make_method(
      entry.name, data::ModalitySet({"FLAIR", "T1", "T1c", "T2"}), 1.0, Json::object());
  Json parameters = Json::object(), stages = Json::array(), options = Json::array();
  std::int64_t total = 0;
  for (const auto& [part, count] : count_parameters(*method)) {
    parameters[part] = parameters.value(part, std::int64_t{0}) + count;
    total += count;
  }
  parameters["total"] = total;
  const Json card = Json::parse(entry.run_defaults);
  const std::int64_t steps = card.value(Json::json_pointer("/train/steps"), std::int64_t{1000});
  for (const methods::Stage& stage : method->stages(steps)) {
    Json phases = Json::array();
    for (const methods::Phase& phase : stage.phases) {
      Json trains = Json::array();
      for (const auto& group : phase.trains) {
        trains.push_back({{"group", group.group},
                          {"optimizer", optimizer_name(group.optimizer.kind)},
                          {"learning_rate", group.optimizer.learning_rate}});
      }
      phases.push_back({{"name", phase.name},
                        {"trains", trains},
                        {"on_meta_set", phase.on_meta_set},
                        {"period", phase.period},
                        {"repeats", phase.repeats}});
    }
    stages.push_back({{"name", stage.name},
                      {"steps", stage.steps},
                      {"subsets", stage.subsets},
                      {"phases", phases}});
  }
  for (const Option& option : entry.options) {
    options.push_back({{"key", "method_options." + option.path},
                       {"default", Json::parse(option.fallback)},
                       {"meaning", option.meaning},
                       {"allowed", option.allowed}});
  }
  return {{"name", entry.name},       {"title", entry.title},
          {"source", entry.source},   {"idea", entry.idea},
          {"output", entry.output},   {"deviations", entry.deviations},
          {"parameters", parameters}, {"stages", stages},
          {"options", options},       {"patch", method->recipe().patch},
          {"axes", axes_of(*method)}, {"extent_multiple", method->extent_multiple()}};
}

// Words in lines of at most 96 columns, all but the first after `indent` spaces.
std::string wrapped(const std::string& text, std::size_t indent) {
  std::istringstream words(text);
  std::string result, word;
  for (std::size_t column = indent; words >> word; column += word.size()) {
    if (!result.empty() && column + 1 + word.size() > 96) {
      result += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (!result.empty()) {
      result += ' ';
      ++column;
    }
    result += word;
  }
  return result;
}

void print(const Json& about) {
  const auto text = [&](const char* key) { return about[key].get<std::string>(); };
  fmt::print("{}: {}\n\n", text("name"), text("title"));
  for (const char* key : {"source", "idea", "output", "deviations"}) {
    fmt::print("{:<12}{}\n", key, wrapped(text(key), 12));
  }
  fmt::print("patch       {} voxels ({}), multiples of {}\n\nparameters\n", about["patch"].dump(),
             text("axes"), about["extent_multiple"].dump());
  TextTable parts({{}, {"", true}});
  for (const auto& [part, count] : about["parameters"].items()) {
    parts.add({"  " + part, count.dump()});
  }
  fmt::print("{}\nstages\n", parts.text());
  for (const Json& stage : about["stages"]) {
    fmt::print("  {:<12} {} steps, subsets {}\n", stage["name"].get<std::string>(),
               stage["steps"].get<std::int64_t>(),
               stage["subsets"].value("policy", std::string("full")));
    for (const Json& phase : stage["phases"]) {
      const auto period = phase["period"].get<std::int64_t>();
      fmt::print("    phase {:<14} {}{}\n", phase["name"].get<std::string>(),
                 period == 1 ? "every step" : fmt::format("every {} steps", period),
                 phase["on_meta_set"].get<bool>()
                     ? fmt::format(", {} updates on the meta set", phase["repeats"].dump())
                     : "");
      for (const Json& group : phase["trains"]) {
        fmt::print("      {} with {}, rate {}\n", group["group"].get<std::string>(),
                   group["optimizer"].get<std::string>(), group["learning_rate"].dump());
      }
    }
  }
  fmt::print("\noptions (default)\n");
  for (const Json& option : about["options"]) {
    const std::string allowed =
        option["allowed"].empty() ? "" : fmt::format(" {}", option["allowed"].dump());
    fmt::print("  {} ({})\n      {}\n", option["key"].get<std::string>(), option["default"].dump(),
               wrapped(option["meaning"].get<std::string>() + allowed, 6));
  }
}

}  // namespace

void add_methods(CLI::App& program, ExitCode&) {
  auto* command = program.add_subcommand("methods", "What is built in, with source and options");
  struct Arguments {
    std::string name;
    bool json = false;
  };
  auto arguments = std::make_shared<Arguments>();
  command->add_option("name", arguments->name, "One method in full");
  command->add_flag("--json", arguments->json, "As JSON");
  command->footer("Example: lacuna methods mckd");
  command->callback([arguments] {
    if (!arguments->name.empty()) {
      const Json about = describe(methods::find_method(arguments->name));
      arguments->json ? fmt::print("{}\n", about.dump(2)) : print(about);
      return;
    }
    Json all = Json::array();
    TextTable table({{}, {}});
    for (const auto* entry : methods::all_methods()) {
      all.push_back({{"name", entry->name}, {"title", entry->title}, {"source", entry->source}});
      table.add({entry->name, entry->title});
    }
    fmt::print("{}", arguments->json ? all.dump(2) + "\n" : table.text());
  });
}

}  // namespace lacuna::app
