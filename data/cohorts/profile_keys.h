// The keys of a profile's JSON by type, each refused with file, key and what belongs there.
//
// Refers to JSON and name of the file, which must outlive the object. Immutable, thread-safe.
#pragma once

#include <regex>
#include <string>
#include <vector>

#include "data/cohorts/profile_parser.h"

namespace lacuna::data {

class ProfileKeys {
 public:
  ProfileKeys(const OrderedJson& json, const std::string& where) : json_(json), where_(where) {}

  const OrderedJson& json() const { return json_; }
  const std::string& where() const { return where_; }  // opens each message

  // Throws ConfigError; `key` "" means the file.
  [[noreturn]] void refuse(const std::string& key, const std::string& what) const;
  // Each throws ConfigError for a value of another type. check_keys: also for an unknown key of
  // `object`, which lies under the key `inside`.
  void check_keys(const OrderedJson& object, const std::vector<std::string>& known,
                  const std::string& inside) const;
  std::string as_text(const OrderedJson& value, const std::string& key) const;
  std::string text(const std::string& key) const;  // must be there
  std::string text_or(const std::string& key, const std::string& otherwise) const;
  std::string text_in(const OrderedJson& object, const std::string& key, const std::string& inside,
                      const std::string& otherwise = "") const;
  bool flag_or(const std::string& key, bool otherwise) const;
  std::vector<std::string> texts_or(const OrderedJson& object, const std::string& key) const;
  std::regex expression(const std::string& text, const std::string& key) const;

 private:
  const OrderedJson& json_;
  const std::string& where_;
};

}  // namespace lacuna::data
