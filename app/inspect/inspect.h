// What `lacuna inspect` says about each kind of artefact, as JSON: field "kind" first, then what is
// known, and "problems", a list that is empty when all is well. Read-only. Throws DataError when
// the artefact cannot be read at all.
#pragma once

#include <filesystem>

#include "base/text/json.h"

namespace lacuna::app {

// verify: also read every case and compare all checksums.
Json inspect_cache(const std::filesystem::path& path, bool verify);
Json inspect_case(const std::filesystem::path& path);   // every data set is verified
Json inspect_nifti(const std::filesystem::path& path);  // every voxel is read

Json inspect_tensors(const std::filesystem::path& path);     // a safetensors file
Json inspect_checkpoint(const std::filesystem::path& path);  // every file is verified
Json inspect_run(const std::filesystem::path& path);         // and its checkpoints

// What makes a run and its evaluations again, bit for bit, from its directory alone:
// {"commands": [command lines for a shell], "notes": [what is not as it was: another build, a
// cohort that is away or has changed, starts with other ranks or threads]}.
Json reproduction(const std::filesystem::path& run);

}  // namespace lacuna::app
