#include "comm/communicator.h"

#include <utility>

#include <fmt/format.h>

namespace lacuna::comm {
namespace {

class Finished final : public Operation {
 public:
  explicit Finished(CommResult result) : result_(std::move(result)) {}
  bool poll() override { return true; }
  CommResult wait(Seconds) override { return result_; }

 private:
  CommResult result_;
};

}  // namespace

std::unique_ptr<Operation> finished_operation(CommResult result) {
  return std::make_unique<Finished>(std::move(result));
}

std::unique_ptr<Operation> Communicator::sum_on_device(const DeviceSpan&) {
  return finished_operation(
      {Outcome::kFailed,
       fmt::format("the communicator {} cannot sum in GPU memory. Set train.communicator to auto.",
                   name())});
}

}  // namespace lacuna::comm
