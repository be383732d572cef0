// Which request of the status server does what, apart from how it travels.
#pragma once

#include <string>
#include <string_view>

#include "coordinator/http/server.h"

namespace lacuna::coordinator {

struct Reply {
  int status = 200;
  std::string type = "application/json", body;
  std::string allow;  // with 405: the method that is allowed
};

// Before the body is read: why the request is refused, or status 200. `method` as in HTTP.
Reply check_request(std::string_view method, std::string_view target,
                    std::string_view authorization, const std::string& token);

// Answers a request that check_request() let pass.
Reply answer(ServerApi& api, std::string_view target, const std::string& body);

// {"error": text}
Reply refusal(int status, const std::string& text);

}  // namespace lacuna::coordinator
