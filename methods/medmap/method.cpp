#include "methods/medmap/method.h"

#include <algorithm>

#include "base/error.h"

namespace lacuna::methods::medmap {
namespace {

constexpr const char* kChild = "medmap";

const Host& find_host(const std::string& name) {
  const auto found = std::find_if(hosts().begin(), hosts().end(),
                                  [&](const Host& each) { return each.entry->name == name; });
  return *found;  // the options allow no other
}

}  // namespace

Method::Method(const MethodSettings& settings) : options_(binding().parse(settings.options)) {
  const Host& host = find_host(options_.host);
  if (options_.placement == Placement::kFirstLevel && !host.maps_first_level) {
    throw_error<ConfigError>(
        "method_options.placement=stage1 aligns features of single modalities, and {} has none: "
        "its first convolution mixes them. Set method_options.placement to input.",
        options_.host);
  }
  MethodSettings own = settings;
  own.options = settings.options.value(host.entry->name, Json::object());
  const auto& declared = host.entry->options;
  if (std::any_of(declared.begin(), declared.end(),
                  [](const Option& each) { return each.path == "subset"; })) {
    own.options["subset"] = options_.subset ? Json(*options_.subset) : Json();
  } else if (options_.subset) {
    throw_error<ConfigError>(
        "method_options.subset={}: {} trains one network for all subsets. Leave the key out.",
        *options_.subset, options_.host);
  }
  alignment_ = std::make_shared<Alignment>(settings.modalities, options_);
  own.input_map = alignment_;
  host_ = host.entry->make(own);
  host_->module().register_module(kChild, alignment_->module());
}

std::vector<ParameterGroup> Method::groups() {
  const std::string prefix = std::string(kChild) + ".";
  std::vector<ParameterGroup> groups = host_->groups();
  const bool given = !host_->given_tensors().empty();
  const std::string first = host_->stages(1000).front().phases.front().trains.front().group;
  for (ParameterGroup& group : groups) {
    std::erase_if(group.parameters,
                  [&](const std::string& name) { return name.starts_with(prefix); });
    if (given || group.name != first) continue;
    for (const std::string& name : alignment_->trained()) group.parameters.push_back(prefix + name);
  }
  return groups;
}

std::vector<std::string> Method::given_tensors() const {
  std::vector<std::string> names = host_->given_tensors();
  if (!names.empty()) names.push_back(std::string(kChild) + ".");
  return names;
}

// The host's first, so that it draws the numbers that it draws alone.
void Method::initialise() {
  host_->initialise();
  alignment_->initialise();
}

Loss Method::loss(const std::string& phase, const Batch& batch, const Progress& progress) {
  Loss loss = host_->loss(phase, batch, progress);
  if (const at::Tensor alignment = alignment_->take_loss(); alignment.defined()) {
    loss.parts.emplace_back("alignment", alignment);
    loss.total = loss.total + options_.alpha * alignment;
  }
  return loss;
}

std::vector<std::pair<std::string, double>> Method::diagnostics() {
  auto made = host_->diagnostics();
  for (const auto& share : alignment_->shares()) made.push_back(share);
  return made;
}

}  // namespace lacuna::methods::medmap
