// A run directory as a TensorBoard log: curves, overlays of its evaluations, and its row of the
// HPARAMS page. Formats: docs/run-directory.md, base/files/event_file.h.
#pragma once

#include "base/files/file_system.h"

namespace lacuna::monitoring {

// Writes one event file into `directory`, which is made; event files that are there are replaced
// once the new one is whole. Lines that are damaged are left out. Times are the start of the run
// plus the time that its steps took. Throws DataError: no run, or no space.
void export_events(const Path& run, const Path& directory);

}  // namespace lacuna::monitoring
