// Declared configuration: every key with its type, default, meaning and unit, and the check of
// what a user wrote against that declaration.
//
// A Schema is a flat list of keys with dotted paths ("train.batch"). resolve() fills in defaults
// and refuses an unknown key (naming the nearest one), a wrong type or a value out of range, each
// with its path. Immutable after construction, so thread-safe.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/text/json.h"

namespace lacuna {

struct Option {
  enum class Type { kBool, kInteger, kNumber, kString, kIntegers, kStrings, kAny };

  std::string path;
  Type type = Type::kAny;
  std::string fallback;  // the default, as JSON text: "0.1", "\"uniform\"", "[1,2]", "null"
  std::string meaning;   // one sentence
  std::string unit;      // "voxels", "mm", "seconds", "steps"; empty if it has none
  std::vector<std::string> allowed;  // for strings; empty = anything
  double minimum = -1e300;           // for numbers and each element of a list
  double maximum = 1e300;
  bool nullable = false;  // null allowed: "decided by the method's card"
  // For a key that came after the first release, JSON text: the value under which a program
  // without the key works alike. It counts as the key being left out, so it changes no identity.
  std::optional<std::string> absent = std::nullopt;
};

// The option as one that came after the first release: its default is what programs did before.
Option added_later(Option option);

class Schema {
 public:
  explicit Schema(std::vector<Option> options);

  // The whole configuration as a nested object: defaults overlaid with `user`. `where` opens each
  // message (a file name). Throws ConfigError.
  Json resolve(const Json& user, const std::string& where) const;

  // Keys that `saved`, resolved by an older program, lacks take their `absent` value: what that
  // program did, whatever the default is today.
  void complete(Json& saved) const;
  // Whether `value` of the key at `path` counts as the key being left out.
  bool is_absent(const std::string& path, const Json& value) const;

  const std::vector<Option>& options() const { return options_; }

 private:
  std::vector<Option> options_;
  std::map<std::string, Json> absent_;  // by path
};

// The word of `known` that is closest to `word` by edit distance, or "" when none is close.
std::string nearest(const std::string& word, const std::vector<std::string>& known);

// Sets a dotted path in a nested object, making objects on the way: `--set train.batch=4`. The
// value is read as JSON, and as a plain string when it is not JSON. Throws ConfigError.
void set_path(Json& object, const std::string& assignment);

// The value at a dotted path, or nullptr.
const Json* find_path(const Json& object, const std::string& path);

}  // namespace lacuna
