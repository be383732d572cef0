// Whether a result will find its place, asked before hours of work for it.
#pragma once

#include "base/files/file_system.h"

namespace lacuna {

// Makes the directory if need be, and writes and removes a file in it. Throws DataError naming it
// when that cannot be done.
void require_writable(FileSystem& files, const Path& directory);

}  // namespace lacuna
