// What a method is to the rest of Lacuna: networks, stages, losses, and prediction.
//
// A method states *what* is computed; the trainer owns *how*: batches, autocast, backward,
// reduction, clipping, optimisers, schedules, checkpoints. A run is a list of stages (teacher, then
// student; pre-training, then fine-tuning). A step of a stage runs its phases in order (generator,
// then discriminator; training, then the meta phase), each with its own loss, parameter groups and
// optimisers. docs/add-a-method.md walks through a new one.
//
// How different kinds fit: teacher-student and co-trained networks are submodules of one module();
// a GAN has two phases that train different groups and may keep tensors between the phases of a
// step; a mean teacher updates in end_step(); pre-training is a stage of its own; mutual learning
// asks for two subset draws per sample (DataRecipe::draws); meta-learning is a phase whose source
// is the meta-validation set.
//
// Ownership: the method owns its module. Thread-safety: none; one thread at a time.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <torch/nn/module.h>

#include "base/text/json.h"
#include "base/text/options.h"
#include "data/types/modality.h"
#include "data/types/recipe.h"
#include "data/types/tissue.h"

namespace lacuna::methods {

using data::SubsetMask;

struct OptimizerSpec {
  enum class Kind { kSgd, kAdam, kAdamW };
  Kind kind = Kind::kAdam;
  double learning_rate = 1e-3;
  double momentum = 0;
  bool nesterov = false;
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double weight_decay = 0;  // SGD, Adam: added to the gradient; AdamW: decoupled
  bool amsgrad = false;
  bool defined_zero =
      true;              // a parameter without gradient steps with zero gradient; else it is left
  double clip_norm = 0;  // total gradient norm of the group; 0 = no clipping
  bool fresh_each_step = false;  // moments and counter start anew (an optimiser made in the loop)
};

// The factor on the learning rate at position i = first + step within the stage.
struct ScheduleSpec {
  enum class Kind { kConstant, kPoly, kCosine, kStep };
  Kind kind = Kind::kConstant;
  double power = 0.9;               // poly: (1 - i / horizon)^power
  double factor = 0.1;              // step: factor^floor(i / every), with per_epoch counted in
  std::int64_t every = 1;           // epochs
  std::int64_t first = 0;           // i at the first step of the stage (a restart sets its own)
  std::int64_t horizon = 1;         // poly and cosine reach 0 at i = horizon
  std::int64_t warmup = 0;          // steps of linear warm-up from 0
  std::int64_t restart_period = 0;  // cosine with warm restarts; 0 = none
  std::int64_t granularity = 1;     // steps for which the rate stays
  bool per_epoch = false;           // it stays for an epoch of the run's training cases instead
  bool hold_end = false;            // and is the one at the end of them, not at their start
};

// Optimiser state is kept under the group's name, so a later stage that trains the group again goes
// on with it unless the stage resets optimisers.
struct TrainedGroup {
  std::string group;  // a name of Method::groups()
  OptimizerSpec optimizer;
  ScheduleSpec schedule;
};

struct Phase {
  std::string name;
  std::vector<TrainedGroup> trains;  // parameters outside these groups are frozen in this phase
  bool on_meta_set = false;          // batches from the split's meta-validation cases
  std::int64_t period = 1;           // runs at run steps that are multiples of it
  std::int64_t repeats = 1;  // optimiser steps (each on a batch of its own) per run of the phase
  std::int64_t batch = 0;    // samples per batch; 0 = the run's global batch
  // The loss looks at the whole batch and uses Batch::over_ranks: the batch must divide evenly
  // among what is computed at once.
  bool joint = false;
};

struct Stage {
  std::string name;
  std::int64_t steps = 0;
  Json subsets;               // section `subsets`: policy and granularity of this stage
  std::vector<Phase> phases;  // the first one uses the training batch of the step
  bool reset_optimizers = false;
};

struct ParameterGroup {
  std::string name;
  std::vector<std::string> parameters;  // names in module().named_parameters()
};

// A batch on the training device.
struct Batch {
  at::Tensor image;  // N x M x D x H x W, float, normalised; what the case lacks is 0
  at::Tensor label;  // N x D x H x W, uint8, data::Tissue values
  std::vector<std::vector<SubsetMask>> subsets;  // [draw][sample]
  // Per sample, what the case really has, whatever a subset keeps of it; empty: everything. The
  // image of another modality is 0 and no image: losses leave out what would compare with it.
  std::vector<SubsetMask> available;
  // Keys for counter-based random numbers; empty: nothing is drawn (comparisons from outside).
  std::vector<std::uint64_t> sample_index;
  std::vector<std::array<std::int64_t, 3>> origin;  // crop corner in the full volume, voxels
  std::map<std::string, at::Tensor> extras;         // priors that a method's data provides
  // Of the global batch, over trainers and micro-batches; 0: this is all of it. The place of sample
  // n in it is sample_index[n] % whole.
  std::int64_t whole = 0;
  // In joint phases, for a loss of sums over the samples of a batch (Dice over the batch): a small
  // tensor of this rank -> its sum over what all trainers compute at once. Every rank must call it
  // equally often, with equal shapes; best once per loss. Backward is local: the rank's own part
  // gets the gradient divided by the rank's share of the samples, which is exact since the engine
  // weights each rank's loss by that share and sums gradients. Empty: this rank is alone. A gather
  // is the sum of tensors that are 0 outside the rank's own rows.
  std::function<at::Tensor(const at::Tensor&)> over_ranks;
};

struct Progress {
  std::uint64_t seed = 0;
  std::int64_t step = 0;   // of the run
  std::int64_t steps = 1;  // of the run
  int stage = 0;
  std::int64_t stage_step = 0;
  std::int64_t steps_per_epoch = 1;
  std::int64_t repeat = 0;  // within a phase that repeats
  std::int64_t epoch() const { return stage_step / steps_per_epoch; }
};

// Named scalars; `total` is what is differentiated. Parts are logged under their names, as they
// enter the paper's formula before weighting.
struct Loss {
  at::Tensor total;
  std::vector<std::pair<std::string, at::Tensor>> parts;
  at::Tensor output;  // the raw output that was judged, detached: for comparison from outside
};

// What a whole window contributes to evaluation whichever subset is asked for. Opaque to callers.
using Features = std::vector<at::Tensor>;

// Where a window of evaluation lies, in the network's axes.
struct WindowPlace {
  data::Extent corner{};           // voxels, in the full volume as Batch::origin
  data::Extent corner_in_box{};    // voxels, in what the windows tile: the brain box or the volume
  std::array<bool, 3> mirrored{};  // axes along which the window comes turned round
};

// From raw output to a segmentation.
struct InferenceRecipe {
  enum class Activation { kSigmoid, kSoftmax };
  enum class Window { kUniform, kGaussian };
  Activation activation = Activation::kSigmoid;
  bool blend_probabilities = true;  // average probabilities over windows; else raw outputs
  Window window = Window::kUniform;
  data::Extent patch{80, 160, 160};
  double overlap = 1.0 / 3;  // stride = ceil((1 - overlap) * patch)
  bool whole_volume = true;  // windows tile the volume; else only the brain box
  // One window in the middle, at floor((size - patch - 1) / 2), is all that is segmented, and all
  // of the truth that is scored.
  bool centre_crop = false;
  double threshold = 0.5;  // sigmoid: a channel is where its probability is above it
  // Sigmoid: channels in order of application, each writes its tissue where it is, a later one over
  // an earlier one. Softmax: arg max over channels, channel -> tissue.
  struct Channel {
    int channel;
    data::Tissue tissue;
  };
  std::vector<Channel> channels;
  // Applied to the whole segmentation in this order: a tissue with fewer voxels becomes another.
  struct Relabelling {
    data::Tissue tissue;
    std::int64_t minimum;  // voxels
    data::Tissue replacement;
  };
  std::vector<Relabelling> relabelled;
};

class Method {
 public:
  virtual ~Method() = default;

  // Every parameter and buffer under the names of the published state_dict.
  virtual torch::nn::Module& module() = 0;
  // Names of the published state_dict that have no counterpart here, as prefixes.
  virtual std::vector<std::string> ignored_official_names() const { return {}; }
  // Tensors that published comparison vectors do not fill by the formula (methods/exchange/fill.h),
  // with their values.
  virtual std::map<std::string, std::vector<double>> fill_exceptions() const { return {}; }
  // The cohort's modalities in the order of the published code's input channels, in which a filled
  // input of `lacuna forward` comes; empty: the cohort's own order. All else is in that of the
  // cohort.
  virtual std::vector<int> published_channels() const { return {}; }
  virtual std::vector<ParameterGroup> groups() = 0;

  // The stages for a budget of `steps` run steps (the card's proportions).
  virtual std::vector<Stage> stages(std::int64_t steps) const = 0;
  virtual data::DataRecipe recipe() const = 0;
  virtual InferenceRecipe inference() const = 0;
  // The one subset that this network was made for, where a run trains a model per subset; null:
  // any. Validation and evaluation keep to it, other subsets are refused.
  virtual std::optional<SubsetMask> serves() const { return std::nullopt; }
  // Beginnings of names in module() of what no stage trains and a run must be given: it starts from
  // init.weights that hold all of it, or is refused. Empty: a run may start from nothing.
  virtual std::vector<std::string> given_tensors() const { return {}; }
  // A spatial extent must be a multiple of this, per axis (D, H, W).
  virtual data::Extent extent_multiple() const = 0;

  // Weights before training; called once by the trainer with torch's generator seeded from the
  // run's seed. The constructor may already have done it.
  virtual void initialise() {}
  virtual void begin_stage(int /*stage*/) {}
  virtual Loss loss(const std::string& phase, const Batch& batch, const Progress& progress) = 0;
  // After the last repeat of a run of a phase on the meta set, on the rank that ran it: stored
  // normalisations. What it changes must be parameters that the phase trains: nothing else is
  // carried to the other ranks.
  virtual void end_phase(const std::string& /*phase*/, const Progress& /*progress*/) {}
  // After the phases of a step, on every rank that trains: mean teachers; drop what was kept
  // between phases here. Phases on the meta set may run on another rank or later.
  virtual void end_step(const Progress& /*progress*/) {}
  // Scalars worth a curve that are no loss (importance weights).
  virtual std::vector<std::pair<std::string, double>> diagnostics() { return {}; }

  // The published forward pass: N x M x D x H x W -> N x C x D x H x W raw outputs, one subset for
  // the whole batch.
  virtual at::Tensor forward(const at::Tensor& image, SubsetMask subset) = 0;

  // Evaluation: encode once, decode any number of subsets -> S x N x C x D x H x W, equal to
  // forward() for each subset up to summation order. Gradient-free.
  virtual Features encode(const at::Tensor& image);  // default: the image itself
  virtual at::Tensor decode(const Features& features, const std::vector<SubsetMask>& subsets);
  // encode() of a window there, for networks that depend on the place (an image of the whole volume
  // stands in for what is missing): what evaluation calls. encode() and forward() of such a network
  // take the window to lie in the corner.
  virtual Features encode_at(const at::Tensor& window, const WindowPlace& /*place*/) {
    return encode(window);
  }
  // Called when parameters may have changed since the last encode().
  virtual void invalidate_evaluation_cache() {}
};

}  // namespace lacuna::methods
