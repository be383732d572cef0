// What the pretend device is relied on for.
#include "tests/device/pretend_device.h"

#include <csetjmp>
#include <csignal>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/autocast_mode.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "kernels/instance_norm.h"

namespace lacuna::pretend {
namespace {

sigjmp_buf trapped;

void on_fault(int, siginfo_t* info, void*) { siglongjmp(trapped, owns(info->si_addr) ? 1 : 2); }

// Whether `touch` ended in a fault at an address of the device.
template <typename Touch>
bool faults(const Touch& touch) {
  struct sigaction action {
  }, before{};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigaction(SIGSEGV, &action, &before);
  const int code = sigsetjmp(trapped, 1);
  if (code == 0) touch();
  sigaction(SIGSEGV, &before, nullptr);
  return code == 1;
}

class PretendDevice : public ::testing::Test {
 protected:
  PretendDevice() {
    start();
    host_ = at::arange(6, at::kFloat).view({2, 3});
    there_ = host_.to(kDevice);
    reset();
  }
  at::Tensor host_, there_;
};

TEST_F(PretendDevice, FaultsWhereTheHostTouchesItsMemory) {
  EXPECT_FALSE(faults([&] { (void)*static_cast<volatile float*>(host_.data_ptr()); }));
  EXPECT_TRUE(faults([&] { (void)*static_cast<volatile float*>(there_.data_ptr()); }));
  EXPECT_TRUE(faults([&] { *static_cast<volatile float*>(there_.data_ptr()) = 1; }));
  EXPECT_EQ(*static_cast<float*>(host_view(there_[1][2].data_ptr())), 5);
}

TEST_F(PretendDevice, ComputesWhatTheHostComputes) {
  EXPECT_TRUE(at::equal((there_ * 2 + there_).cpu(), host_ * 3));
  EXPECT_TRUE(at::equal(there_.t().contiguous().cpu(), host_.t()));
  EXPECT_TRUE(at::equal(at::cat({there_, there_}, 1).cpu(), at::cat({host_, host_}, 1)));
  EXPECT_TRUE(at::equal(at::where(there_ > 2, there_, 0).cpu(), at::where(host_ > 2, host_, 0)));
  at::Tensor changed = there_.clone();
  changed.select(0, 1).mul_(10);  // in place through a view
  EXPECT_EQ(changed.cpu()[1][2].item<float>(), 50);
  at::Tensor grown = at::empty({0}, there_.options());
  at::add_out(grown, there_, there_);
  EXPECT_TRUE(at::equal(grown.cpu(), host_ + host_));
  const auto gradient = [](const at::Tensor& at) {
    at::Tensor leaf = at.clone().set_requires_grad(true);
    (leaf.square().sum() + leaf.exp().mean()).backward();
    return leaf.grad().cpu();
  };
  EXPECT_TRUE(at::allclose(gradient(there_), gradient(host_)));
}

TEST_F(PretendDevice, ConvolvesBothWaysInEitherLayout) {
  const std::vector<at::Tensor> host = {at::randn({2, 3, 6, 7, 5}), at::randn({4, 3, 3, 3, 3}),
                                        at::randn({3, 4, 2, 2, 2}), at::randn({4})};
  const auto gradients = [&](c10::Device device, at::MemoryFormat layout) {
    std::vector<at::Tensor> at;
    for (const at::Tensor& each : host) {
      at::Tensor moved = each.to(device);
      if (moved.dim() == 5) moved = moved.contiguous(layout);
      at.push_back(moved.detach().requires_grad_());
    }
    (at::conv3d(at[0], at[1], at[3], 2, 1).square().sum() +
     at::conv_transpose3d(at[0], at[2], at[3], 2).square().sum())
        .backward();
    for (at::Tensor& each : at) each = each.grad().cpu();
    return at;
  };
  const auto expected = gradients(at::kCPU, at::MemoryFormat::Contiguous);
  for (const auto layout : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast3d}) {
    const auto found = gradients(kDevice, layout);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_TRUE(at::allclose(expected[i], found[i], 1e-4, 1e-3)) << i;
    }
  }
}

TEST_F(PretendDevice, RefusesTensorsOnTwoDevices) {
  EXPECT_THROW((void)(there_ + host_), c10::Error);
  EXPECT_THROW((void)at::cat({there_, host_}), c10::Error);
  EXPECT_THROW((void)there_.index_select(0, at::zeros({1}, at::kLong)), c10::Error);
  EXPECT_NO_THROW((void)(there_ + at::scalar_tensor(1.0)));
  const auto of_host = at::make_generator<at::CPUGeneratorImpl>(1);
  EXPECT_THROW((void)there_.clone().bernoulli_(0.5, of_host), c10::Error);
}

TEST_F(PretendDevice, SeedsItsGenerator) {
  torch::manual_seed(5);
  const at::Tensor one = at::rand({4}, there_.options()).cpu();
  torch::manual_seed(5);
  EXPECT_TRUE(at::equal(one, at::rand({4}, there_.options()).cpu()));
  EXPECT_FALSE(at::equal(one, at::rand({4}, there_.options()).cpu()));
}

TEST_F(PretendDevice, CastsByTheListsOfCuda) {
  at::autocast::set_autocast_enabled(at::kPrivateUse1, true);
  at::autocast::set_autocast_dtype(at::kPrivateUse1, at::kBFloat16);
  EXPECT_EQ(at::mm(there_, there_.t()).scalar_type(), at::kBFloat16);
  const at::Tensor narrow = there_.to(at::kBFloat16);
  EXPECT_EQ(at::mse_loss(narrow, narrow).scalar_type(), at::kFloat);
  at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(at::kPrivateUse1, false);
}

TEST_F(PretendDevice, CountsLaunchesWaitsAndCopies) {
  (void)(there_ + there_);
  (void)there_.view({6});
  (void)there_.t();
  EXPECT_EQ(counts().launches, 1);
  EXPECT_EQ(counts().waits, 0);
  (void)there_.sum().item<float>();
  EXPECT_EQ(counts().launches, 2);
  EXPECT_EQ(counts().waits_by_reason.at(".item()"), 1);
  (void)host_.to(kDevice);
  EXPECT_EQ(counts().pageable, 1);
  EXPECT_EQ(counts().waits, 2);
  (void)there_.t().contiguous();
  (void)there_.to(at::kDouble);
  EXPECT_EQ(counts().relayouts, 1);
  EXPECT_EQ(counts().casts, 1);
  record(true);
  (void)there_.exp();
  EXPECT_EQ(recorded(), (std::vector<std::string>{"aten::exp"}));
  record(false);
}

TEST_F(PretendDevice, SeesABufferThatChangesUnderItsCopy) {
  at::Tensor pinned = at::zeros({1024}, at::TensorOptions().pinned_memory(true));
  ASSERT_TRUE(pinned.is_pinned());
  reset();
  const at::Tensor copy = pinned.to(kDevice, at::kFloat, /*non_blocking=*/true);
  EXPECT_EQ(counts().waits, 0);
  EXPECT_EQ(counts().pageable, 0);
  EXPECT_NO_THROW(check_in_flight());
  const at::Tensor again = pinned.to(kDevice, at::kFloat, /*non_blocking=*/true);
  pinned.fill_(1);
  EXPECT_THROW((void)there_.sum().item<float>(), c10::Error);
}

TEST_F(PretendDevice, PoisonsNewMemory) {
  EXPECT_TRUE(at::empty({8}, there_.options()).cpu().isnan().all().item<bool>());
}

TEST_F(PretendDevice, TakesTheOperatorsThatKernelsFallBackTo) {
  const at::Tensor x = at::randn({2, 3, 6, 5, 7}), one = at::ones({3}), zero = at::zeros({3});
  const at::Tensor there =
      kernels::instance_norm_act(x.to(kDevice), one.to(kDevice), zero.to(kDevice), 1e-5, 0.01);
  EXPECT_TRUE(
      at::allclose(kernels::instance_norm_act(x, one, zero, 1e-5, 0.01), there.cpu(), 1e-4, 1e-4));
}

}  // namespace
}  // namespace lacuna::pretend
