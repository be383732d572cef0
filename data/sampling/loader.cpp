#include "data/sampling/loader.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/process/thread_name.h"
#include "base/text/log.h"
#include "data/augment/huge_pages.h"
#include "data/cache/open_cases.h"
#include "data/sampling/case_order.h"
#include "data/sampling/crop.h"
#include "data/sampling/sample_maker.h"
#include "data/sampling/subset_policy.h"

namespace lacuna::data {

// A window of `ahead` batches moves along the order of batches. Threads take one sample at a time,
// from the oldest batch that has some left; next() hands out the oldest batch once it is whole.
class Loader::Worker {
 public:
  Worker(const Cohort& cohort, LoaderOptions options)
      : cohort_(cohort),
        options_(std::move(options)),
        policy_(make_subset_policy(options_.subsets, cohort.modalities)),
        batch_level_(is_batch_level(options_.subsets)),
        cases_(cohort, options_.corrupt_limit, options_.staged),
        next_number_(options_.first_batch) {
    for (const int index : options_.cases) {
      const CaseInfo& info = cohort.cases.at(static_cast<std::size_t>(index));
      if (!info.has_label) {
        throw_error<ConfigError>("case {} has no label to train on. Leave it out of the split.",
                                 info.id);
      }
    }
    check_label_maps();
    if (options_.rank == 0) {
      tell_of_padding();
      tell_of_label_maps();
    }
    CaseOrder(static_cast<int>(options_.cases.size()), 0, options_.order);  // refuses an empty list
    for (int i = 0; i < std::max(1, options_.threads); ++i) {
      threads_.emplace_back([this] { run(); });
    }
  }

  ~Worker() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    work_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  std::unique_ptr<HostBatch> next() {
    const auto begin = std::chrono::steady_clock::now();
    std::unique_lock lock(mutex_);
    if (failure_) std::rethrow_exception(failure_);
    ready_.wait(
        lock, [this] { return failure_ || (!window_.empty() && window_.front().unfinished == 0); });
    wait_ += std::chrono::steady_clock::now() - begin;
    if (!failure_) failure_ = window_.front().failure;
    if (failure_) std::rethrow_exception(failure_);
    auto batch = std::move(window_.front().batch);
    window_.pop_front();
    count_ready();
    lock.unlock();
    work_.notify_all();
    return batch;
  }

  void recycle(std::unique_ptr<HostBatch> batch) {
    const std::lock_guard lock(mutex_);
    spare_.push_back(std::move(batch));
  }

  double wait_seconds() const {
    const std::lock_guard lock(mutex_);
    return std::chrono::duration<double>(wait_).count();
  }

  std::int64_t skipped_cases() const { return cases_.skipped(); }

 private:
  // Before anything is trained, on every rank alike. A case that cannot be read is dealt with when
  // its turn comes.
  void check_label_maps() const {
    std::vector<std::string> wrong;
    for (const int index : options_.cases) {
      const CaseInfo& info = cohort_.cases[static_cast<std::size_t>(index)];
      const bool asked =
          std::any_of(options_.recipe.label_maps.begin(), options_.recipe.label_maps.end(),
                      [&](const LabelMapUse& use) {
                        return std::find(info.label_maps.begin(), info.label_maps.end(),
                                         use.name) != info.label_maps.end();
                      });
      if (!asked) continue;
      try {
        const CaseFile file(cohort_, info);
        for (const LabelMapUse& use : options_.recipe.label_maps) {
          if (const auto problem = label_map_problem(file, use)) wrong.push_back(*problem);
        }
      } catch (const DataError&) {
      }
    }
    if (wrong.empty()) return;
    throw_error<ConfigError>(
        "{}{}", wrong.front(),
        wrong.size() > 1 ? fmt::format(" (and {} more cases)", wrong.size() - 1) : std::string());
  }

  void tell_of_label_maps() const {
    for (const LabelMapUse& use : options_.recipe.label_maps) {
      const auto having =
          std::count_if(options_.cases.begin(), options_.cases.end(), [&](int index) {
            const auto& names = cohort_.cases[static_cast<std::size_t>(index)].label_maps;
            return std::find(names.begin(), names.end(), use.name) != names.end();
          });
      if (having == std::ssize(options_.cases)) continue;
      log::warn(
          "label map {}: {} of {} cases have none, and the method does without it there. Maps are "
          "added with: lacuna ingest --extra {}=DIRECTORY",
          use.name, std::ssize(options_.cases) - having, options_.cases.size(), use.name);
    }
  }

  void tell_of_padding() const {
    const Extent& patch = options_.recipe.patch;
    std::vector<int> small;
    for (const int index : options_.cases) {
      const CaseInfo& info = cohort_.cases[static_cast<std::size_t>(index)];
      if (exceeds(patch, info.full_extent)) small.push_back(index);
    }
    if (small.empty()) return;
    const CaseInfo& first = cohort_.cases[static_cast<std::size_t>(small.front())];
    log::warn(
        "{} of {} cases are smaller than the patch of {} (D x H x W) and padded with background, "
        "as "
        "in evaluation; the first, {}, has {}",
        small.size(), options_.cases.size(), fmt::join(patch, " x "), first.id,
        fmt::join(first.full_extent, " x "));
  }

  struct Pending {
    std::unique_ptr<HostBatch> batch;
    int next_sample = 0;
    int unfinished = 0;
    std::exception_ptr failure;
  };

  void run() {
    name_thread("loader");
    SampleMaker maker(options_.recipe, cohort_.modalities.size());
    CaseOrder order(static_cast<int>(options_.cases.size()), options_.seed, options_.order);
    std::unique_lock lock(mutex_);
    for (;;) {
      Pending* pending = nullptr;
      try {
        work_.wait(lock, [&] { return stop_ || (pending = find_work()) != nullptr; });
      } catch (...) {  // no memory for another batch
        failure_ = std::current_exception();
        ready_.notify_all();
        return;
      }
      if (stop_) return;
      const int sample = pending->next_sample++;
      HostBatch& batch = *pending->batch;
      lock.unlock();
      std::exception_ptr failure;
      try {
        fill(batch, sample, maker, order);
      } catch (...) {
        failure = std::current_exception();
      }
      lock.lock();
      // A batch leaves the window only when it is whole, and a deque never moves its elements.
      if (failure && !pending->failure) pending->failure = failure;
      if (--pending->unfinished == 0) {
        ready_.notify_all();
        count_ready();
      }
    }
  }

  // Called with the lock held.
  void count_ready() {
    const auto whole = std::count_if(window_.begin(), window_.end(),
                                     [](const Pending& each) { return each.unfinished == 0; });
    options_.figures.ready.set(static_cast<double>(whole));
    const std::int64_t skipped = cases_.skipped();
    options_.figures.errors.add(static_cast<double>(skipped - counted_errors_));
    counted_errors_ = skipped;
  }

  // Called with the lock held.
  Pending* find_work() {
    for (;;) {
      for (Pending& pending : window_) {
        if (pending.next_sample < pending.batch->samples) return &pending;
      }
      if (std::ssize(window_) >= std::max(1, options_.ahead)) return nullptr;
      window_.push_back(make_pending(next_number_++));
      if (window_.back().unfinished == 0) ready_.notify_all();  // this rank has no sample of it
    }
  }

  Pending make_pending(std::int64_t number) {
    std::unique_ptr<HostBatch> batch;
    if (spare_.empty()) {
      batch = std::make_unique<HostBatch>();
    } else {
      batch = std::move(spare_.back());
      spare_.pop_back();
    }
    const std::int64_t mine = options_.batch - options_.rank;
    batch->number = number;
    batch->samples = mine <= 0 ? 0 : static_cast<int>((mine - 1) / options_.ranks + 1);
    batch->modalities = cohort_.modalities.size();
    batch->patch = options_.recipe.patch;
    batch->axes = options_.recipe.axes;
    const auto samples = static_cast<std::size_t>(batch->samples);
    const std::size_t voxels = samples * voxels_per_sample();
    resize_on_huge_pages(batch->image, voxels * static_cast<std::size_t>(batch->modalities));
    batch->label.resize(voxels);
    batch->label_maps.resize(options_.recipe.label_maps.size());
    for (std::size_t i = 0; i < batch->label_maps.size(); ++i) {
      HostLabelMap& map = batch->label_maps[i];
      map.name = options_.recipe.label_maps[i].name;
      map.present = false;
      map.values.resize(voxels * static_cast<std::size_t>(batch->modalities));
    }
    batch->subsets.assign(static_cast<std::size_t>(options_.recipe.draws),
                          std::vector<SubsetMask>(samples));
    batch->available.resize(samples);
    batch->cases.resize(samples);
    batch->sample_index.resize(samples);
    batch->origin.resize(samples);
    Pending pending;
    pending.unfinished = batch->samples;
    pending.batch = std::move(batch);
    return pending;
  }

  // Called without the lock; each sample of a batch has one thread.
  void fill(HostBatch& batch, int sample, SampleMaker& maker, CaseOrder& order) {
    while (!try_fill(batch, sample, maker, order)) {
    }
  }

  // False: the case became unreadable meanwhile and is left out; another one takes its place.
  bool try_fill(HostBatch& batch, int sample, SampleMaker& maker, CaseOrder& order) {
    const auto i = static_cast<std::size_t>(sample);
    const auto index = static_cast<std::uint64_t>(batch.number * options_.batch + options_.rank +
                                                  std::int64_t{sample} * options_.ranks);
    // The number of the sample within the cases that are gone round.
    const auto turn = options_.own_cases
                          ? static_cast<std::uint64_t>(batch.number * batch.samples + sample)
                          : index;
    const auto [case_index, file] = readable_case(turn, order);
    const std::size_t voxels = voxels_per_sample();
    std::vector<std::uint8_t*> maps;
    for (HostLabelMap& map : batch.label_maps) {
      const std::size_t size = voxels * static_cast<std::size_t>(batch.modalities);
      std::uint8_t* values = map.values.data() + i * size;
      const auto& names = file->info().label_maps;
      const bool there = std::find(names.begin(), names.end(), map.name) != names.end();
      if (!there) std::fill_n(values, size, kNoLabelMap);
      if (there) {
        const std::lock_guard lock(mutex_);  // the flag belongs to the batch, not to the sample
        map.present = true;
      }
      maps.push_back(there ? values : nullptr);
    }
    Crop crop;
    try {
      crop =
          maker.make(*file, options_.seed, key(index),
                     batch.image.data() + i * voxels * static_cast<std::size_t>(batch.modalities),
                     batch.label.data() + i * voxels, maps);
    } catch (const DataError& error) {
      if (!file->lost()) throw;
      cases_.lose(case_index, error.what());
      return false;
    }
    const DrawPosition at = {
        options_.seed, key(batch_level_ ? static_cast<std::uint64_t>(batch.number) : index),
        options_.step_offset + batch.number / options_.step_stride, options_.steps};
    const auto subsets = policy_->draw(at, file->info().available, options_.recipe.draws);
    for (std::size_t draw = 0; draw < subsets.size(); ++draw) {
      batch.subsets[draw][i] = subsets[draw];
    }
    count_bytes(crop.extent, data::count(file->info().available));
    batch.available[i] = file->info().available;
    batch.cases[i] = case_index;
    batch.sample_index[i] = index;
    batch.origin[i] = crop.corner;
    return true;
  }

  // Images are int16 or float16, labels bytes.
  void count_bytes(const Extent& crop, int images) const {
    const auto voxels = static_cast<double>(crop[0] * crop[1] * crop[2]);
    options_.figures.bytes.add(voxels * (2.0 * images + 1));
  }

  // The case of a sample, or, where it is unreadable, the next readable one of the same epoch. The
  // rule depends on files only, so every thread and rank comes to the same case.
  std::pair<int, const CaseFile*> readable_case(std::uint64_t index, CaseOrder& order) {
    for (int skipped = 0; skipped < std::ssize(options_.cases); ++skipped) {
      const int position = order.alternative(index, skipped);
      const int case_index = options_.cases[static_cast<std::size_t>(position)];
      if (const CaseFile* file = cases_.find(case_index)) return {case_index, file};
    }
    throw_error<DataError>("{}: none of the {} cases can be read. Run: lacuna inspect {}",
                           cohort_.directory.string(), options_.cases.size(),
                           cohort_.directory.string());
  }

  // The crops and subsets of a meta loader must not repeat those of the training samples that have
  // the same numbers.
  std::uint64_t key(std::uint64_t index) const {
    return options_.order == Purpose::kMetaOrder ? index | std::uint64_t{1} << 63 : index;
  }

  std::size_t voxels_per_sample() const {
    const Extent& patch = options_.recipe.patch;
    return static_cast<std::size_t>(patch[0] * patch[1] * patch[2]);
  }

  const Cohort& cohort_;
  const LoaderOptions options_;
  const std::unique_ptr<SubsetPolicy> policy_;
  const bool batch_level_;
  OpenCases cases_;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable work_, ready_;
  std::deque<Pending> window_;
  std::vector<std::unique_ptr<HostBatch>> spare_;
  std::int64_t next_number_, counted_errors_ = 0;
  std::exception_ptr failure_;
  std::chrono::steady_clock::duration wait_{};
  bool stop_ = false;

  std::vector<std::thread> threads_;
};

Loader::Loader(const Cohort& cohort, LoaderOptions options)
    : worker_(std::make_unique<Worker>(cohort, std::move(options))) {}

Loader::~Loader() = default;

std::unique_ptr<HostBatch> Loader::next() { return worker_->next(); }

void Loader::recycle(std::unique_ptr<HostBatch> batch) { worker_->recycle(std::move(batch)); }

double Loader::wait_seconds() const { return worker_->wait_seconds(); }

std::int64_t Loader::skipped_cases() const { return worker_->skipped_cases(); }

}  // namespace lacuna::data
