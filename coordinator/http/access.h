// Who may talk to the status server: whoever knows the token of the run.
#pragma once

#include <string>
#include <string_view>

namespace lacuna::coordinator {

// 64 hex digits from the kernel's random numbers. Throws Error when there are none.
std::string make_token();

// Compares in a time that depends on the lengths only.
bool equal_in_constant_time(std::string_view one, std::string_view other);

// Whether the value of an Authorization header shows the token: "Bearer TOKEN", or, where
// `basic_too`, a browser's "Basic ..." for the user "lacuna" with the token as the password. Basic
// must not be taken for anything that changes the run: browsers send it along with requests that
// foreign pages make.
bool shows_token(std::string_view authorization, const std::string& token, bool basic_too);

}  // namespace lacuna::coordinator
