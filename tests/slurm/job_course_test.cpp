// Whether a task goes back into the queue, with a batch system that is slow, silent or refuses.
#include "slurm/job_course.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files/temporary_directory.h"
#include "tests/slurm/fake_scheduler.h"

namespace lacuna::tests {
namespace {

namespace fs = std::filesystem;
using slurm::TaskFate;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Kind = slurm::SchedulerError::Kind;

class JobCourse : public ::testing::Test {
 protected:
  JobCourse() {
    job_.id = "40_1";
    job_.task = "second";
    job_.losses = folder_ / "study.lost";
  }
  bool end(int code) {
    said_.clear();
    slept_ = 0;
    return slurm::requeue_if_wanted(
        code, job_, slurm_, [&](const std::string& text) { said_ += text + "\n"; },
        [&](double seconds) { slept_ += seconds; });
  }

  const TemporaryDirectory folder_;
  slurm::JobSettings job_;
  FakeScheduler slurm_;
  std::string said_;
  double slept_ = 0;
};

TEST_F(JobCourse, OnlySavedAndLostTasksAskForMore) {
  for (const int code : {0, 1, 2, 77, 79, 137}) EXPECT_FALSE(end(code)) << code;
  EXPECT_EQ(slurm_.fates, 0);
  EXPECT_TRUE(end(75));
  EXPECT_TRUE(end(76));
  EXPECT_THAT(slurm_.requeued, ElementsAre("40_1", "40_1"));
}

TEST_F(JobCourse, AControllerThatTimesOutLosesNothing) {
  slurm_.troubles = {Kind::kNoAnswer, Kind::kMissing, Kind::kUnreadable, Kind::kNoAnswer};
  EXPECT_TRUE(end(75)) << said_;
  EXPECT_THAT(slurm_.requeued, ElementsAre("40_1"));
  EXPECT_DOUBLE_EQ(slept_, 5 + 10 + 20 + 40);  // thousands of tasks ask less and less often
}

// The answer is lost, the deed is not: asked again, SLURM says that the job is on its way already.
TEST_F(JobCourse, ARequeueWhoseAnswerIsLostIsNotDoneTwice) {
  slurm_.requeued_in_silence = true;
  int asked = 0;
  class Late final : public slurm::Scheduler {
   public:
    Late(FakeScheduler& inner, int& asked) : inner_(inner), asked_(asked) {}
    std::string submit(const slurm::ArrayRequest& r) override { return inner_.submit(r); }
    std::vector<std::string> find(const std::string& n) override { return inner_.find(n); }
    std::vector<slurm::TaskState> query(const std::vector<std::string>& j) override {
      return inner_.query(j);
    }
    void cancel(const std::vector<std::string>& j) override { inner_.cancel(j); }
    TaskFate fate(const std::string& t, int r) override { return inner_.fate(t, r); }
    void requeue(const std::string& t) override {
      if (asked_++ == 0) inner_.troubles = {Kind::kNoAnswer};
      inner_.requeue(t);
    }
    slurm::Limits limits() override { return inner_.limits(); }
    slurm::Capabilities capabilities() override { return inner_.capabilities(); }

   private:
    FakeScheduler& inner_;
    int& asked_;
  } late(slurm_, asked);
  std::string said;
  EXPECT_FALSE(slurm::requeue_if_wanted(
      75, job_, late, [&](const std::string& text) { said += text; }, [](double) {}));
  EXPECT_EQ(asked, 1);
  EXPECT_THAT(slurm_.requeued, ElementsAre("40_1"));
  EXPECT_THAT(said, HasSubstr("SLURM ends or restarts this job itself"));
}

TEST_F(JobCourse, SilenceEndsWithPatience) {
  job_.patience = 100;
  for (int i = 0; i < 1000; ++i) slurm_.troubles.push_back(Kind::kNoAnswer);
  EXPECT_FALSE(end(75));
  EXPECT_GE(slept_, 100);
  EXPECT_LT(slept_, 200);
  EXPECT_THAT(said_, HasSubstr("lacuna sweep submit"));
}

TEST_F(JobCourse, ATaskThatIsCancelledOrRunsElsewhereStaysAsItIs) {
  slurm_.next_fate = TaskFate::kTaken;
  EXPECT_FALSE(end(75));
  EXPECT_THAT(slurm_.requeued, IsEmpty());
  EXPECT_THAT(said_, HasSubstr("not requeued from here"));
}

TEST_F(JobCourse, ARefusedRequeueIsTriedThreeTimesAndARefusedQuestionOnce) {
  slurm_.troubles = {Kind::kRefused};  // of the question: the job is not known any more
  EXPECT_FALSE(end(75));
  EXPECT_EQ(slurm_.fates, 1);
  EXPECT_THAT(said_, HasSubstr("lacuna sweep retry"));
}

TEST_F(JobCourse, RequeuesAreCountedAndLossesMustGetFurther) {
  job_.max_requeues = 2;
  job_.restarts = 1;
  EXPECT_TRUE(end(75));
  job_.restarts = 2;
  EXPECT_FALSE(end(75));
  EXPECT_THAT(said_, HasSubstr("restarted 2 times (2 are allowed)"));
  job_.restarts = 0;
  job_.progress = folder_ / "checkpoints";
  EXPECT_TRUE(end(76));  // none yet
  EXPECT_FALSE(end(76));
  EXPECT_THAT(said_, HasSubstr("lost twice at the same checkpoint (none)"));
  fs::create_directories(folder_ / "checkpoints/step-00000020");
  EXPECT_TRUE(end(76));
  fs::create_directories(folder_ / "checkpoints/step-00000100.partial");
  fs::create_directories(folder_ / "checkpoints/step-00000010");
  EXPECT_FALSE(end(76));
  EXPECT_THAT(said_, HasSubstr("(step-00000020)"));
  EXPECT_TRUE(end(75));  // a save is no loss
}

TEST(StagingDirectory, IsForItsOwnerAloneAndGoesAway) {
  const TemporaryDirectory base;
  ::umask(0);
  fs::path path;
  {
    const slurm::StagingDirectory staging(base / "fast disk", "40", 1);
    path = staging.path();
    struct stat info {};
    ASSERT_EQ(::lstat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0700u);
    EXPECT_TRUE(S_ISDIR(info.st_mode));
    std::ofstream(path / "case.h5") << "x";
    const slurm::StagingDirectory other(base / "fast disk", "40", 1);
    EXPECT_NE(other.path(), path);  // nobody can know it before, and make it
  }
  ::umask(022);
  EXPECT_FALSE(fs::exists(path));
  EXPECT_THAT(path.filename().string(), ::testing::MatchesRegex("lacuna-40-[0-9a-f]{16}"));
  EXPECT_THROW(slurm::StagingDirectory("/proc/nowhere", "40", 1), DataError);
}

// On several nodes srun makes it; a stand-in does what its words say, on this host.
class StagingOnNodes : public ::testing::Test {
 protected:
  StagingOnNodes() : old_path_(std::getenv("PATH")) {
    ::setenv("PATH", (folder_.path().string() + ":" + old_path_).c_str(), 1);
    ::umask(0);
  }
  ~StagingOnNodes() override {
    ::umask(022);
    ::setenv("PATH", old_path_.c_str(), 1);
  }
  // Runs `body` with the command of the nodes in "$@".
  void srun(const std::string& body) const {
    std::ofstream(folder_ / "srun")
        << "#!/bin/sh\nwhile [ \"${1#--}\" != \"$1\" ]; do shift; done\n"
        << body << "\n";
    fs::permissions(folder_ / "srun", fs::perms::all);
  }

  const TemporaryDirectory folder_;
  const std::string old_path_;
};

TEST_F(StagingOnNodes, IsForItsOwnerAloneFromTheFirstMoment) {
  srun("\"$@\"");
  fs::path path;
  {
    const slurm::StagingDirectory staging(folder_.path(), "41", 2);
    path = staging.path();
    struct stat info {};
    ASSERT_EQ(::lstat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0700u);
  }
  EXPECT_FALSE(fs::exists(path));
}

// What another could read, or owns, is not used.
TEST_F(StagingOnNodes, OneThatOthersCanReadOrOwnIsRefused) {
  srun("[ \"$1\" = rm ] || mkdir -m 750 -- \"$5\"");
  EXPECT_THROW(slurm::StagingDirectory(folder_.path(), "42", 2), DataError);
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a directory away";
  srun("[ \"$1\" = rm ] || { mkdir -m 700 -- \"$5\" && chown 12345 -- \"$5\"; }");
  EXPECT_THROW(slurm::StagingDirectory(folder_.path(), "43", 2), DataError);
}

}  // namespace
}  // namespace lacuna::tests
