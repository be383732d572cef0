// The one layer that sees HDF5's return codes: each call is checked here and becomes an exception
// that carries HDF5's own message.
//
// Thread-safety: Debian's serial HDF5 serialises every call by one global lock, so handles may be
// used from any thread but never run in parallel. H5Handle is move-only.
#pragma once

#include <string>
#include <string_view>

#include <hdf5.h>

#include "base/error.h"

namespace lacuna::data {

class H5Error : public DataError {
 public:
  using DataError::DataError;
};

// Throws H5Error "{object}: cannot {tried}: <HDF5's reason>" when `code` is negative.
void h5_throw(std::string_view tried, std::string_view object);

template <typename Code>
Code h5_check(Code code, std::string_view tried, std::string_view object) {
  if (code < 0) h5_throw(tried, object);
  return code;
}

// HDF5 prints its error stack to stderr by default; while this lives, in this thread, it does not.
class H5Quiet {
 public:
  H5Quiet();
  ~H5Quiet();
  H5Quiet(const H5Quiet&) = delete;
  H5Quiet& operator=(const H5Quiet&) = delete;

 private:
  H5E_auto2_t function_ = nullptr;
  void* data_ = nullptr;
};

// An identifier (file, data set, space, type, property list) with the function that closes it.
class H5Handle {
 public:
  using Close = herr_t (*)(hid_t);

  H5Handle(hid_t id, Close closer) : id_(id), close_(closer) {}
  H5Handle(H5Handle&& other) noexcept;
  H5Handle& operator=(H5Handle&&) = delete;
  ~H5Handle();
  operator hid_t() const { return id_; }

  // Closes now and reports a failure, which the destructor can only log.
  void close(std::string_view object);

 private:
  hid_t id_;
  Close close_;
};

}  // namespace lacuna::data
