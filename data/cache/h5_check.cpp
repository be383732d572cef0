#include "data/cache/h5_check.h"

#include <utility>

#include "base/text/log.h"

namespace lacuna::data {
namespace {

// The innermost entry of the error stack says what really went wrong.
herr_t keep_innermost(unsigned depth, const H5E_error2_t* entry, void* text) {
  if (depth == 0 && entry->desc != nullptr) *static_cast<std::string*>(text) = entry->desc;
  return 0;
}

}  // namespace

void h5_throw(std::string_view tried, std::string_view object) {
  std::string reason = "no reason given";
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_innermost, &reason);
  throw_error<H5Error>("{}: cannot {}: {} (HDF5)", object, tried, reason);
}

H5Quiet::H5Quiet() {
  // After a damaged file HDF5's clean-up at exit prints nonsense; we close what we open ourselves.
  static const herr_t no_cleanup = H5dont_atexit();
  (void)no_cleanup;
  H5Eget_auto2(H5E_DEFAULT, &function_, &data_);
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

H5Quiet::~H5Quiet() { H5Eset_auto2(H5E_DEFAULT, function_, data_); }

H5Handle::H5Handle(H5Handle&& other) noexcept
    : id_(std::exchange(other.id_, H5I_INVALID_HID)), close_(other.close_) {}

H5Handle::~H5Handle() {
  // Logged, not thrown: a leaked handle is harmless, an exception during unwinding is not.
  if (id_ >= 0 && close_(id_) < 0) log::warn("cannot close an HDF5 handle");
}

void H5Handle::close(std::string_view object) {
  h5_check(close_(std::exchange(id_, H5I_INVALID_HID)), "close", object);
}

}  // namespace lacuna::data
