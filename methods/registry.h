// The methods that are built in, found by name.
//
// Adding one: a directory methods/<name>/ that defines `const MethodEntry& <name>::entry()`, and
// two lines in registry.cpp. Thread-safe: constant after start.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/text/json.h"
#include "base/text/options.h"
#include "data/types/modality.h"
#include "methods/method.h"

namespace lacuna::methods {

class InputMap;  // methods/shared/input_map.h

// What a method is built from.
struct MethodSettings {
  data::ModalitySet modalities{{"FLAIR", "T1", "T1c", "T2"}};
  double width = 1.0;  // scales the channels of every network
  Json options;        // section method_options, resolved against MethodEntry::options
  // The run's own patch (null: the method's), for networks that are made for one input size.
  std::optional<data::Extent> patch;
  // What another method puts before this one's network; null: nothing. The host does not own its
  // parameters.
  std::shared_ptr<InputMap> input_map = nullptr;
};

struct MethodEntry {
  std::string name;  // as in run files
  std::string title;
  std::string source;           // paper, year, published code
  std::string idea;             // three sentences
  std::string output;           // channel order and activation of forward()
  std::string deviations;       // known differences from the published code
  std::vector<Option> options;  // of section method_options (paths without the section)
  // Defaults that the card sets for the run's own keys, as JSON text with nested sections:
  // {"train": {"steps": 115000, "batch": 2}}.
  std::string run_defaults;
  // Epochs of the published run, for losses that change with them: `lacuna forward --epoch` counts
  // in these.
  std::int64_t epochs = 1000;
  std::unique_ptr<Method> (*make)(const MethodSettings& settings);
  // Memory layout auto on a CPU in fp32: true where `lacuna bench step` shows it to be faster.
  bool channels_last_on_cpu = false;
};

// Throws ConfigError naming the nearest method.
const MethodEntry& find_method(const std::string& name);
const std::vector<const MethodEntry*>& all_methods();  // by name

// Resolves options and builds.
std::unique_ptr<Method> make_method(const std::string& name, const data::ModalitySet& modalities,
                                    double width, const Json& options,
                                    const std::optional<data::Extent>& patch = std::nullopt);

}  // namespace lacuna::methods
