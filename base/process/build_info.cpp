#include "base/process/build_info.h"

#include "generated/build_info.inc"  // made by cmake/build_info.cmake at every build

namespace lacuna {

const BuildInfo& build_info() {
  static const BuildInfo info{LACUNA_VERSION, LACUNA_COMMIT, "GCC " __VERSION__, LACUNA_BUILD_TYPE,
                              LACUNA_ARCH};
  return info;
}

}  // namespace lacuna
