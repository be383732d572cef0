// Threads that make training batches ahead of the trainer.
//
// Batch number b of a loader holds the global samples [b * batch, (b + 1) * batch); each sample is
// a pure function of (seed, stream, global sample index), so batches depend on no thread and a
// loader can start at any number. With several ranks each makes only its own positions.
//
// A case that cannot be read is left out with a warning, up to a limit; the next readable case of
// the epoch's order takes its place, which depends on the files only.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/metrics/metrics.h"
#include "base/random.h"
#include "base/text/json.h"
#include "data/cache/cohort.h"
#include "data/cache/staging.h"
#include "data/types/recipe.h"

namespace lacuna::data {

// A label map that the recipe asks for. Samples whose case has none hold kNoLabelMap.
struct HostLabelMap {
  std::string name;
  bool present = false;              // in any sample of the batch
  std::vector<std::uint8_t> values;  // N x M x D x H x W
};

// Buffers of one batch on the host, owned by the batch and recycled by the loader.
struct HostBatch {
  std::int64_t number = 0;
  int samples = 0, modalities = 0;
  Extent patch{};
  Axes axes = kVolumeAxes;          // the order in which the network wants the axes (DataRecipe)
  std::vector<float> image;         // N x M x D x H x W, normalised; absent modalities are 0
  std::vector<std::uint8_t> label;  // N x D x H x W, Tissue values
  std::vector<HostLabelMap> label_maps;          // of the recipe
  std::vector<std::vector<SubsetMask>> subsets;  // [draw][sample]
  std::vector<SubsetMask> available;             // what the case really has
  std::vector<int> cases;                        // index into Cohort::cases
  std::vector<std::uint64_t> sample_index;       // global
  std::vector<Extent> origin;                    // crop corner in the full volume, voxels
};

// What a loader counts, if anybody watches.
struct LoaderFigures {
  Gauge ready;            // whole batches that wait for the trainer
  Counter errors, bytes;  // cases left out; taken from the cache
};

struct LoaderOptions {
  std::vector<int> cases;               // indices into Cohort::cases to draw from
  const StagedCases* staged = nullptr;  // copies to read from; must outlive the loader
  DataRecipe recipe;
  Json subsets;  // section `subsets`: policy and granularity
  std::uint64_t seed = 1;
  Purpose order = Purpose::kCaseOrder;  // kMetaOrder keeps a meta loader's samples apart
  std::int64_t batch = 1;               // samples over all ranks
  std::int64_t first_batch = 0;         // number of the batch that next() gives first
  std::int64_t step_offset = 0;         // run step of batch 0 (policies that change over time)
  std::int64_t steps = 1;               // of the whole run
  std::int64_t step_stride = 1;         // batches per run step (repeats of a phase)
  int rank = 0, ranks = 1;              // position p of a batch belongs to rank p mod ranks
  bool own_cases = false;  // `cases` are this rank's alone: it goes round them by itself
  int threads = 1;
  int ahead = 4;          // batches prepared in advance
  int corrupt_limit = 3;  // unreadable cases that are skipped (and counted) before it is an error
  LoaderFigures figures;
};

class Loader {
 public:
  // The cohort must outlive the loader. Throws ConfigError when a case has no label.
  Loader(const Cohort& cohort, LoaderOptions options);
  ~Loader();  // stops and joins the threads

  // The next batch in order; blocks until it is ready. Throws DataError with case and file, and the
  // same again when called after that.
  std::unique_ptr<HostBatch> next();
  void recycle(std::unique_ptr<HostBatch> batch);  // gives the buffers back

  double wait_seconds() const;  // total time next() has blocked
  std::int64_t skipped_cases() const;

 private:
  class Worker;
  std::unique_ptr<Worker> worker_;
};

}  // namespace lacuna::data
