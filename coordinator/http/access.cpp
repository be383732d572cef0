#include "coordinator/http/access.h"

#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>

#include <sys/random.h>

#include "base/error.h"
#include "base/text/base64.h"

namespace lacuna::coordinator {
namespace {

constexpr std::size_t kTokenBytes = 32;

// The part after the scheme, or nothing. Schemes are case-insensitive (RFC 9110).
std::string_view after_scheme(std::string_view value, std::string_view scheme) {
  if (value.size() <= scheme.size() || value[scheme.size()] != ' ') return {};
  for (std::size_t i = 0; i < scheme.size(); ++i) {
    if (std::tolower(static_cast<unsigned char>(value[i])) != scheme[i]) return {};
  }
  value.remove_prefix(scheme.size() + 1);
  return value;
}

}  // namespace

std::string make_token() {
  std::array<unsigned char, kTokenBytes> bytes{};
  // Up to 256 bytes come whole and without EINTR (getrandom(2)).
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    throw_error<Error>("cannot make a token: no random numbers: {}", std::strerror(errno));
  }
  std::string token;
  for (const unsigned char byte : bytes) token += fmt::format("{:02x}", byte);
  return token;
}

bool equal_in_constant_time(std::string_view one, std::string_view other) {
  if (one.size() != other.size()) return false;
  volatile unsigned char difference = 0;  // volatile: the loop must not end early
  for (std::size_t i = 0; i < one.size(); ++i) {
    difference = static_cast<unsigned char>(difference | (one[i] ^ other[i]));
  }
  return difference == 0;
}

bool shows_token(std::string_view authorization, const std::string& token, bool basic_too) {
  if (equal_in_constant_time(after_scheme(authorization, "bearer"), token)) return true;
  return basic_too &&
         equal_in_constant_time(after_scheme(authorization, "basic"), base64("lacuna:" + token));
}

}  // namespace lacuna::coordinator
