// The backend against an NCCL and a GPU that are not there, and, where there is a GPU, against the
// real ones with one rank.
#include "comm/nccl.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include "base/error.h"
#include "comm/choose.h"
#include "comm/cuda_queue.h"
#include "comm/gradient_reducer.h"
#include "comm/solo.h"
#include "tests/comm/deadline.h"
#include "tests/comm/fake_device.h"

namespace lacuna::comm {
namespace {

using testing::HasSubstr;

// Sums over "two equal ranks": doubles. Every call is in progress for some questions first.
class FakeLibrary final : public NcclLibrary {
 public:
  std::string make_id(std::vector<std::byte>& id) override {
    id.assign(128, std::byte{7});
    return id_error;
  }
  std::string join(int, const std::vector<std::byte>& id, int, const std::string&,
                   Handle& handle) override {
    EXPECT_EQ(id.size(), 128u);
    handle = this;
    ++joins;
    questions_ = 3;
    return join_error;
  }
  State state(Handle, std::string& text) override {
    if (!async_error.empty()) {
      text = async_error;
      return State::kFailed;
    }
    return stuck || questions_-- > 0 ? State::kInProgress : State::kReady;
  }
  std::string sum(Handle, const DeviceSpan& values, void*) override {
    EXPECT_LE(questions_, 0) << "a call while the one before is in progress";
    auto* floats = static_cast<float*>(values.data);
    for (std::size_t i = 0; i < values.count; ++i) floats[i] *= 2;
    questions_ = 2;
    return sum_error;
  }
  std::string finalize(Handle) override {
    calls += "finalize ";
    questions_ = 2;
    return "";
  }
  void destroy(Handle) override { calls += "destroy "; }
  void abort(Handle) override { calls += "abort "; }

  std::string id_error, join_error, sum_error, async_error, calls;
  bool stuck = false;
  int joins = 0;

 private:
  int questions_ = 0;
};

struct Made {
  FakeLibrary library;
  FakeQueue* queue = nullptr;
  std::unique_ptr<Communicator> ranks;
  std::vector<float> values{1, 2, 3};

  void make(NcclOptions options = {}) {
    auto fake = std::make_unique<FakeQueue>();
    queue = fake.get();
    ranks = make_nccl(make_solo(), std::move(fake), options, library);
  }
  std::unique_ptr<Operation> sum() {
    return ranks->sum_on_device({values.data(), values.size(), ElementType::kFloat});
  }
};

TEST(Nccl, SumsInPlaceAndLeavesInOrder) {
  Made made;
  made.make();
  EXPECT_EQ(made.ranks->name(), "nccl");
  const auto one = made.sum(), two = made.sum();
  EXPECT_FALSE(two->poll());
  EXPECT_TRUE(one->wait(kDeadline).ok());
  EXPECT_TRUE(two->wait(kDeadline).ok());
  EXPECT_EQ(made.values, (std::vector<float>{4, 8, 12}));
  made.ranks.reset();
  EXPECT_EQ(made.library.calls, "finalize destroy ");
}

// Jobs, scores and alarms are bytes in host memory: no memory of the GPU for them.
TEST(Nccl, APartForHostMemoryJoinsNothing) {
  Made made;
  made.make();
  EXPECT_EQ(made.library.joins, 1);
  const auto part = made.ranks->split_host(0);
  EXPECT_EQ(made.library.joins, 1);
  EXPECT_EQ(part->name(), "solo");
  EXPECT_EQ(made.ranks->split_host(-1), nullptr);
  EXPECT_EQ(made.ranks->split(0)->name(), "nccl");
  EXPECT_EQ(made.library.joins, 2);
}

TEST(Nccl, ASumThatNeverEndsStopsAtItsDeadlineAndTellsTheLastCollectives) {
  Made made;
  made.make();
  ASSERT_TRUE(made.sum()->wait(kDeadline).ok());
  made.queue->stuck = true;
  const CommResult result = made.sum()->wait(Seconds{0.01});
  EXPECT_EQ(result.outcome, Outcome::kTimedOut);
  EXPECT_THAT(result.text, HasSubstr("did not complete within 0.0 s"));
  EXPECT_THAT(result.text, HasSubstr("#1 fp32 sum of 12 bytes, done"));
  EXPECT_THAT(result.text, HasSubstr("#2 fp32 sum of 12 bytes, open"));
  made.ranks.reset();  // a broken communicator is not asked to leave in order
  EXPECT_EQ(made.library.calls, "abort ");
}

TEST(Nccl, AnErrorOfAPeerEndsTheWaitAtOnce) {
  Made made;
  made.make();
  made.queue->stuck = true;
  const auto sum = made.sum();
  EXPECT_FALSE(sum->poll());
  made.library.async_error = "remote process exited";
  const CommResult result = sum->wait(kDeadline);
  EXPECT_EQ(result.outcome, Outcome::kFailed);
  EXPECT_THAT(result.text, HasSubstr("remote process exited"));
}

TEST(Nccl, AnErrorOfTheGpuIsTold) {
  Made made;
  made.make();
  made.queue->failure = "an illegal address";
  EXPECT_THAT(made.sum()->wait(kDeadline).text, HasSubstr("an illegal address"));
}

TEST(Nccl, ASumThatNcclDoesNotTakeIsAResultAndNoException) {
  Made slow, wrong;
  slow.make({.launch_deadline = Seconds{0.01}});
  slow.library.stuck = true;
  EXPECT_EQ(slow.sum()->wait(kDeadline).outcome, Outcome::kTimedOut);
  wrong.make();
  wrong.library.sum_error = "invalid usage";
  EXPECT_THAT(wrong.sum()->wait(kDeadline).text, HasSubstr("invalid usage"));
}

TEST(Nccl, AfterAbortEverythingIsRefusedAndNothingHappensTwice) {
  Made made;
  made.make();
  made.ranks->abort();
  made.ranks->abort();
  EXPECT_THAT(made.sum()->wait(kDeadline).text, HasSubstr("was given up"));
  made.ranks.reset();
  EXPECT_EQ(made.library.calls, "abort ");
}

TEST(Nccl, ARankThatCannotJoinIsNamed) {
  const auto told = [](auto&& prepare) -> std::string {
    Made made;
    prepare(made.library);
    try {
      made.make({.join_deadline = Seconds{0.01}});
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(told([](FakeLibrary& library) { library.join_error = "no socket"; }),
              HasSubstr("rank 0: no socket"));
  EXPECT_THAT(told([](FakeLibrary& library) { library.stuck = true; }),
              HasSubstr("rank 0: still in progress"));
  EXPECT_THAT(told([](FakeLibrary& library) { library.id_error = "no interface"; }),
              HasSubstr("NCCL cannot start: no interface"));
}

TEST(Nccl, TheLibraryInUseIsTheOneItWasBuiltFor) {
  const NcclVersions versions = nccl_versions();
  EXPECT_EQ(versions.loaded / 100, versions.compiled / 100);  // 228: 2.28
}

// On a machine with a GPU.
class NcclOnAGpu : public testing::Test {
 protected:
  void SetUp() override {
    std::string why;
    if (visible_gpus(why) == 0) GTEST_SKIP() << "no GPU: " << why;
  }
};

TEST_F(NcclOnAGpu, OneRankSumsFloatsAndBfloat16) {
  const auto chosen = choose_communicator(make_solo(), "nccl", 0, "test");
  ASSERT_EQ(chosen.ranks->name(), "nccl");
  const auto wide = torch::arange(1000, torch::dtype(torch::kFloat).device(torch::kCUDA));
  const auto narrow = wide.to(torch::kBFloat16);
  const auto expected = wide.clone();
  for (const auto& [tensor, type] :
       {std::pair{wide, ElementType::kFloat}, std::pair{narrow, ElementType::kBFloat16}}) {
    const auto sum = chosen.ranks->sum_on_device(
        {tensor.data_ptr(), static_cast<std::size_t>(tensor.numel()), type});
    const CommResult result = sum->wait(kDeadline);
    EXPECT_TRUE(result.ok()) << result.text;
  }
  EXPECT_TRUE(torch::equal(wide, expected));  // the sum over one rank
}

TEST_F(NcclOnAGpu, GradientsAreReducedWhereTheyAre) {
  for (const char* backend : {"nccl", "mpi"}) {
    const auto chosen = choose_communicator(make_solo(), backend, 0, "test");
    const auto a =
        torch::ones({3}, torch::dtype(torch::kFloat).device(torch::kCUDA)).set_requires_grad(true);
    for (const bool bf16 : {false, true}) {
      GradientReducer reducer(*chosen.ranks, {{"a", a}}, {4, 4, bf16, kDeadline});
      reducer.begin();
      (a * 5).sum().backward();
      const CommResult result = reducer.finish();
      ASSERT_TRUE(result.ok()) << result.text;
      EXPECT_TRUE(torch::equal(a.grad().cpu(), torch::full({3}, 5.0))) << backend;
    }
  }
}

}  // namespace
}  // namespace lacuna::comm
