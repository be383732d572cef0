// Backward passes of trilinear upsampling and of max pooling whose sums are always in the same
// order. The GPU kernels of torch add with atomics, in whatever order threads come.
//
// Upsampling: the transposed interpolation as one matrix product per axis. Pooling: for each place
// of the window in turn, the gradients of the outputs whose maximum lies there; within one place no
// two outputs share an input. Both work on any device; on a CPU torch's own are repeatable.
// Stateless.
#pragma once

#include <memory>
#include <optional>

#include <ATen/core/Tensor.h>
#include <c10/core/DispatchKey.h>

namespace lacuna::kernels {

// grad: N x C x d x h x w; the result has the extents of `input` (5 sizes).
at::Tensor upsample_trilinear3d_backward(const at::Tensor& grad, at::IntArrayRef output,
                                         at::IntArrayRef input, bool align_corners,
                                         std::optional<double> scale_d,
                                         std::optional<double> scale_h,
                                         std::optional<double> scale_w);

// indices: of each maximum in its D x H x W plane, as at::max_pool3d_with_indices gives them.
at::Tensor max_pool3d_backward(const at::Tensor& grad, const at::Tensor& input,
                               at::IntArrayRef kernel, at::IntArrayRef stride,
                               at::IntArrayRef padding, at::IntArrayRef dilation, bool ceil_mode,
                               const at::Tensor& indices);

// Puts them in the place of torch's for a kind of device while it lives: autograd then uses them,
// whoever calls the forward operators. One at a time.
class RepeatableBackward {
 public:
  explicit RepeatableBackward(c10::DispatchKey device);
  ~RepeatableBackward();
  RepeatableBackward(const RepeatableBackward&) = delete;
  RepeatableBackward& operator=(const RepeatableBackward&) = delete;

 private:
  struct Registration;
  std::unique_ptr<Registration> registration_;
};

}  // namespace lacuna::kernels
