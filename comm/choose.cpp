#include "comm/choose.h"

#include "comm/cuda_queue.h"
#include "comm/nccl.h"
#include "comm/rank_device.h"
#include "comm/staged.h"

namespace lacuna::comm {
ChosenCommunicator choose_communicator(std::unique_ptr<Communicator> host,
                                       const std::string& wanted, int gpu,
                                       const std::string& run_name, Seconds deadline) {
  const RankDevice mine{this_host(), gpu < 0 ? "" : gpu_uuid(gpu)};
  const BackendChoice choice = choose_backend(wanted, gather_devices(*host, mine, deadline));
  switch (choice.backend) {
    case Backend::kNccl:
      return {make_nccl(std::move(host), make_cuda_queue(gpu), {.name = run_name}), choice.why};
    case Backend::kStaged:
      return {make_staged(std::move(host), make_cuda_queue(gpu)), choice.why};
    case Backend::kHost:
      break;
  }
  return {std::move(host), choice.why};
}

int suggest_gpu(Communicator& host, Seconds deadline) {
  std::string why;
  const int gpus = visible_gpus(why);
  const auto all = gather_devices(host, {this_host(), ""}, deadline);
  return gpus == 0 ? -1 : local_rank(all, host.rank()) % gpus;
}

}  // namespace lacuna::comm
