// Opening a case file to read it.
#pragma once

#include <string>

#include "data/cache/h5_check.h"

namespace lacuna::data {

// Without a lock, which some network file systems do not have: a case file is written under another
// name and never changes. Throws DataError.
inline H5Handle h5_open_for_reading(const std::string& path) {
  const H5Handle access(h5_check(H5Pcreate(H5P_FILE_ACCESS), "make a property list for", path),
                        H5Pclose);
  h5_check(H5Pset_file_locking(access, false, true), "open without a lock", path);
  return {h5_check(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access), "open as a case file", path),
          H5Fclose};
}

}  // namespace lacuna::data
