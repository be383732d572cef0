// The door through which a fuzzer calls one target: LACUNA_FUZZ_TARGET, chosen by the build.
#include "base/text/log.h"
#include "tests/fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  static const bool quiet = [] {
    lacuna::log::set_level(lacuna::log::Level::kError);  // warnings of each input say nothing here
    return true;
  }();
  static_cast<void>(quiet);
  lacuna::fuzz::LACUNA_FUZZ_TARGET({reinterpret_cast<const std::byte*>(data), size});
  return 0;
}
