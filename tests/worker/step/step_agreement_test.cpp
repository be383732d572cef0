// What trainers agree on in a step, on two real ranks.
#include "worker/step/step_agreement.h"

#include <gtest/gtest.h>

#include "comm/mpi.h"
#include "tests/comm/run_ranks.h"

namespace lacuna::worker {
namespace {

TEST(StepAgreement, OverTwoRanks) { EXPECT_EQ(run_ranks(2, "StepAgreement"), 0); }

// Each request is heard once, on rank 1, in the first of two phases of a step: the second must not
// forget it.
TEST(RankBody, DISABLED_StepAgreement) {
  comm::MpiSession mpi;
  const auto world = mpi.world();
  RankGroup ranks(world.get(), nullptr, false, comm::Seconds{60});
  bool stop = false, save = ranks.rank() == 1;
  const auto once = [](bool& flag) { return [&flag] { return std::exchange(flag, false); }; };
  StepAgreement agreement(ranks, once(stop), once(save));
  const auto phase = [&](double loss, bool finite) {
    PhaseOutcome outcome;
    outcome.loss = loss;
    outcome.finite = finite;
    outcome.parts = {{"part", 2 * loss}};
    agreement.start(outcome);
    agreement.finish(outcome);
    return outcome;
  };
  agreement.begin_step();
  const PhaseOutcome first = phase(1 + ranks.rank(), true);
  EXPECT_EQ(first.loss, 3);
  EXPECT_EQ(first.parts.at(0).second, 6);
  EXPECT_TRUE(first.finite);
  const PhaseOutcome second = phase(1, ranks.rank() == 0);
  EXPECT_FALSE(second.finite);
  EXPECT_TRUE(agreement.save());
  EXPECT_FALSE(agreement.stop());

  agreement.begin_step();
  stop = ranks.rank() == 1;
  phase(1, true);
  phase(1, true);
  EXPECT_TRUE(agreement.stop());
  EXPECT_FALSE(agreement.save());

  // A step without phases over ranks asks all the same.
  agreement.begin_step();
  save = ranks.rank() == 1;
  EXPECT_TRUE(agreement.save());
  EXPECT_FALSE(agreement.stop());
}

}  // namespace
}  // namespace lacuna::worker
