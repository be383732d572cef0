#include "comm/gather_texts.h"

namespace lacuna::comm {

CommResult gather_texts(Communicator& ranks, const std::string& mine, std::vector<std::string>& all,
                        Seconds deadline) {
  std::vector<std::vector<std::byte>> bytes;
  CommResult result = ranks.gather_all(std::as_bytes(std::span(mine)), bytes, deadline);
  if (!result.ok()) return result;
  all.clear();
  for (const auto& each : bytes) {
    all.emplace_back(reinterpret_cast<const char*>(each.data()), each.size());
  }
  return result;
}

}  // namespace lacuna::comm
