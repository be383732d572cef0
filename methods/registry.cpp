#include "methods/registry.h"

#include <algorithm>

#include "base/error.h"

namespace lacuna::methods {

// Two lines per method: its declaration here and its place in the list below; the definition lies
// in the method's own directory.
// clang-format off
namespace acn { const MethodEntry& entry(); }
namespace ccsd { const MethodEntry& entry(); }
namespace demoseg { const MethodEntry& entry(); }
namespace m2ftrans { const MethodEntry& entry(); }
namespace m3ae { const MethodEntry& entry(); }
namespace mckd { const MethodEntry& entry(); }
namespace mctseg { const MethodEntry& entry(); }
namespace medmap { const MethodEntry& entry(); }
namespace mmformer { const MethodEntry& entry(); }
namespace mst_kdnet { const MethodEntry& entry(); }
namespace pmkl { const MethodEntry& entry(); }
namespace ra_hved { const MethodEntry& entry(); }
namespace rfnet { const MethodEntry& entry(); }
namespace robust_mseg { const MethodEntry& entry(); }
namespace shaspec { const MethodEntry& entry(); }
namespace smml { const MethodEntry& entry(); }
namespace smu_net { const MethodEntry& entry(); }
namespace u_hemis { const MethodEntry& entry(); }
namespace u_hved { const MethodEntry& entry(); }
namespace u_net_mfi { const MethodEntry& entry(); }
namespace unet { const MethodEntry& entry(); }
// clang-format on

const std::vector<const MethodEntry*>& all_methods() {
  static const std::vector<const MethodEntry*> entries = [] {
    std::vector<const MethodEntry*> list = {
        &acn::entry(),      &ccsd::entry(),        &demoseg::entry(), &m2ftrans::entry(),
        &m3ae::entry(),     &mckd::entry(),        &mctseg::entry(),  &medmap::entry(),
        &mmformer::entry(), &mst_kdnet::entry(),   &pmkl::entry(),    &ra_hved::entry(),
        &rfnet::entry(),    &robust_mseg::entry(), &shaspec::entry(), &smml::entry(),
        &smu_net::entry(),  &u_hemis::entry(),     &u_hved::entry(),  &u_net_mfi::entry(),
        &unet::entry(),
    };
    std::sort(list.begin(), list.end(),
              [](const auto* a, const auto* b) { return a->name < b->name; });
    return list;
  }();
  return entries;
}

const MethodEntry& find_method(const std::string& name) {
  std::vector<std::string> names;
  for (const MethodEntry* entry : all_methods()) {
    if (entry->name == name) return *entry;
    names.push_back(entry->name);
  }
  const std::string near = nearest(name, names);
  throw_error<ConfigError>("method \"{}\" is not built in{}. Run: lacuna methods", name,
                           near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near));
}

std::unique_ptr<Method> make_method(const std::string& name, const data::ModalitySet& modalities,
                                    double width, const Json& options,
                                    const std::optional<data::Extent>& patch) {
  const MethodEntry& entry = find_method(name);
  MethodSettings settings{modalities, width, {}, patch};
  settings.options = Schema(entry.options).resolve(options, "method_options");
  return entry.make(settings);
}

}  // namespace lacuna::methods
