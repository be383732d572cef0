// lacuna inspect PATH: explains an artefact and says whether it is whole.
#include <memory>
#include <string>

#include <fmt/core.h>

#include "app/inspect/inspect.h"
#include "app/shared/command.h"
#include "base/text/log.h"
#include "data/cohorts/profile_file.h"

namespace lacuna::app {
namespace {

namespace fs = std::filesystem;

Json inspect(const fs::path& path, bool verify) {
  if (!fs::exists(path)) throw_error<DataError>("{}: does not exist.", path.string());
  const std::string name = path.filename().string();
  if (fs::is_directory(path)) {
    if (fs::exists(path / "cohort.json")) return inspect_cache(path, verify);
    if (fs::exists(path / "manifest.json")) return inspect_checkpoint(path);
    if (fs::exists(path / "run.json")) return inspect_run(path);
  } else {
    if (name == "cohort.json") return inspect_cache(path.parent_path(), verify);
    if (name == "manifest.json") return inspect_checkpoint(path.parent_path());
    if (name == "run.json") return inspect_run(path.parent_path());
    if (name.ends_with(".h5")) return inspect_case(path);
    if (name.ends_with(".nii") || name.ends_with(".nii.gz")) return inspect_nifti(path);
    if (name.ends_with(".safetensors")) return inspect_tensors(path);
  }
  throw_error<DataError>(
      "{}: not something that is known here. Known: a cache (cohort.json), a case (.h5), an image "
      "(.nii, .nii.gz), tensors (.safetensors), a checkpoint (manifest.json), a run (run.json).",
      path.string());
}

bool is_table(const Json& value) {
  return value.is_array() && !value.empty() && value.front().is_object();
}

std::string plain(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

// Objects become indented blocks, lists of objects one line per item, the rest "key  value".
void print(const Json& object, int indent) {
  for (const auto& [key, value] : object.items()) {
    if (key == "kind" || (value.is_null()) || (value.empty() && !value.is_primitive())) continue;
    const std::string margin(static_cast<std::size_t>(indent), ' ');
    if (value.is_object()) {
      fmt::print("{}{}\n", margin, key);
      print(value, indent + 2);
    } else if (is_table(value)) {
      fmt::print("{}{}\n", margin, key);
      for (const Json& item : value) {
        std::string line;
        for (const auto& [name, field] : item.items()) {
          line += fmt::format("  {} {}", name, plain(field));
        }
        fmt::print("{}{}\n", margin, line);
      }
    } else {
      fmt::print("{}{:<{}} {}\n", margin, key, 20 - indent, plain(value));
    }
  }
}

// Notes as comments, so that all of it can go into a shell.
void print_reproduction(const fs::path& run, bool json) {
  const Json made = reproduction(run);
  if (json) {
    fmt::print("{}\n", made.dump(2));
    return;
  }
  for (const Json& note : made.at("notes")) fmt::print("# {}\n", plain(note));
  for (const Json& command : made.at("commands")) fmt::print("{}\n", plain(command));
}

}  // namespace

void add_inspect(CLI::App& program, ExitCode& code) {
  auto* command = program.add_subcommand(
      "inspect", "Explain a cache, case, NIfTI, safetensors, checkpoint or run directory");
  struct Arguments {
    std::string path, profile;
    bool verify = false, json = false, reproduce = false;
  };
  auto arguments = std::make_shared<Arguments>();
  auto* path = command->add_option("path", arguments->path, "What to look at");
  command
      ->add_option("--profile", arguments->profile, "Print a profile instead, as its file has it")
      ->excludes(path);
  command->add_flag("--verify", arguments->verify, "Of a cache: read every case, too");
  command->add_flag("--reproduce", arguments->reproduce,
                    "Of a run: print the commands that make it and its evaluations again");
  command->add_flag("--json", arguments->json, "Print JSON");
  command->footer(
      "Example: lacuna inspect cache --verify\n"
      "Exit code 1 when something is damaged; the message says what and what to do.");
  command->callback([arguments, &code] {
    if (!arguments->profile.empty()) {
      fmt::print("{}", data::profile_text(arguments->profile));
      return;
    }
    if (arguments->path.empty()) {
      throw_error<ConfigError>("inspect: name what to look at: a cache, case, image, run, ...");
    }
    if (arguments->reproduce) {
      print_reproduction(arguments->path, arguments->json);
      return;
    }
    const Json found = inspect(arguments->path, arguments->verify);
    if (arguments->json) {
      fmt::print("{}\n", found.dump(2));
    } else {
      fmt::print("{}: {}\n", arguments->path, found.at("kind").get<std::string>());
      Json shown = found;
      shown.erase("problems");
      shown.erase("notes");
      print(shown, 2);
    }
    for (const Json& note : found.value("notes", Json::array())) log::warn("{}", plain(note));
    for (const Json& problem : found.at("problems")) log::error("{}", plain(problem));
    if (!found.at("problems").empty()) code = ExitCode::kError;
  });
}

}  // namespace lacuna::app
