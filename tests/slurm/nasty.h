// Words that would run commands, or break lines, wherever a shell reads them unquoted.
#pragma once

#include <string>
#include <vector>

namespace lacuna::tests {

inline std::vector<std::string> nasty_strings() {
  return {"a b",
          "it's",
          "say \"hi\"",
          "$(touch injected)",
          "`touch injected`",
          "'; touch injected; '",
          "\"; touch injected; \"",
          "a\ntouch injected\n",
          "$HOME",
          "${HOME}",
          "back\\slash\\",
          "*",
          "~",
          "!!",
          "#no comment",
          "&& touch injected",
          "| touch injected",
          "> injected",
          "{a,b}",
          "{tasks}",
          "%A_%a",
          "\tTab",
          "-rf",
          "\x80\xff",
          "Ünïcode"};
}

}  // namespace lacuna::tests
