// The options of a method (section method_options of a run), each stated once: key, the member that
// holds it, default, meaning and limits. The statement declares the option to users and parses it.
//
//   const OptionBinding<Options>& binding() {
//     static const auto options =
//         OptionBinding<Options>()
//             .flag("official", &Options::official, false, "The published code wherever ...")
//             .number("alpha", &Options::alpha, 0.1, "Weight of ...", {.minimum = 0})
//             .choice("fill", &Options::fill, by_official("mean", "first"),
//                     {{"mean", Fill::kMean}, {"first", Fill::kFirst}}, "What ... borrows.")
//             .integer("steps", &Options::steps, std::nullopt, "...; null: 80/180 of the run.");
//     return options;
//   }
//
// Three kinds of default. A value: that value. by_official(ours, published): null, which is `ours`,
// or with the option `official` the published code's; a key that is given wins over `official`, so
// the published code with one change can be asked for. std::nullopt, for an std::optional member:
// null leaves the member empty, and the method decides.
//
// A member is named by a pointer, or, where it lies deeper, by a function from Options& to a
// reference. Immutable once built, so thread-safe.
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/text/json.h"
#include "base/text/options.h"

namespace lacuna::methods {

struct OptionLimits {
  double minimum = -1e300, maximum = 1e300;
  std::string unit = {};
};

template <typename T>
struct ByOfficial {
  T ours, published;
};

template <typename T>
ByOfficial<T> by_official(T ours, T published) {
  return {std::move(ours), std::move(published)};
}

// The default of an option whose values are JSON values of type T.
template <typename T>
class OptionDefault {
 public:
  template <typename U>
  requires std::is_convertible_v<U, T> OptionDefault(U value)
      : ours_(T(value)), published_(T(value)) {}
  template <typename U>
  OptionDefault(ByOfficial<U> values)
      : ours_(T(values.ours)), published_(T(values.published)), nullable_(true) {}
  OptionDefault(std::nullopt_t) : nullable_(true) {}

  bool nullable() const { return nullable_; }
  const std::optional<T>& ours() const { return ours_; }
  const std::optional<T>& published() const { return published_; }

 private:
  std::optional<T> ours_, published_;
  bool nullable_ = false;
};

template <typename Options>
class OptionBinding {
  template <typename Member>
  using Held = std::remove_cvref_t<std::invoke_result_t<Member, Options&>>;

 public:
  // Value of a choice in a run file, and what it means to the method.
  template <typename Member>
  using Choices = std::vector<std::pair<std::string, std::type_identity_t<Held<Member>>>>;

  template <typename Member>
  OptionBinding& flag(const char* path, Member member, OptionDefault<bool> fallback,
                      const std::string& meaning) {
    return add<bool>(Option::Type::kBool, path, member, fallback, meaning, {});
  }
  template <typename Member>
  OptionBinding& number(const char* path, Member member, OptionDefault<double> fallback,
                        const std::string& meaning, const OptionLimits& limits = {}) {
    return add<double>(Option::Type::kNumber, path, member, fallback, meaning, limits);
  }
  template <typename Member>
  OptionBinding& integer(const char* path, Member member, OptionDefault<std::int64_t> fallback,
                         const std::string& meaning, const OptionLimits& limits = {}) {
    return add<std::int64_t>(Option::Type::kInteger, path, member, fallback, meaning, limits);
  }
  template <typename Member>
  OptionBinding& text(const char* path, Member member, OptionDefault<std::string> fallback,
                      const std::string& meaning) {
    return add<std::string>(Option::Type::kString, path, member, fallback, meaning, {});
  }
  template <typename Member>
  OptionBinding& choice(const char* path, Member member, OptionDefault<std::string> fallback,
                        const Choices<Member>& choices, const std::string& meaning) {
    Option option = declared_as(Option::Type::kString, path, fallback, meaning, {});
    for (const auto& [name, value] : choices) option.allowed.push_back(name);
    bind<std::string>(std::move(option), fallback,
                      [member, choices](Options& options, const std::string& given) {
                        for (const auto& [name, value] : choices) {
                          if (name == given) std::invoke(member, options) = value;
                        }
                      });
    return *this;
  }

  // The `count` options that were stated last came after the first release of their method: runs
  // from before keep their identity (Option::absent).
  OptionBinding& added_later(std::size_t count = 1) {
    for (std::size_t i = 1; i <= count; ++i) mark_absent(declared_[declared_.size() - i]);
    return *this;
  }
  // Options that several methods share: add(*this) states them.
  template <typename Add>
  OptionBinding& include(const Add& add) {
    add(*this);
    return *this;
  }

  // For MethodEntry::options.
  const std::vector<Option>& declared() const { return declared_; }

  // `resolved`: against declared().
  Options parse(const Json& resolved) const {
    const bool official = resolved.contains("official") && resolved.at("official") == true;
    Options options;
    for (std::size_t i = 0; i < declared_.size(); ++i) {
      read_[i](options, resolved.at(declared_[i].path), official);
    }
    return options;
  }

 private:
  template <typename Any>
  static void mark_absent(Any& option) {
    if constexpr (requires { option.absent; }) option.absent = option.fallback;
  }

  // Whole numbers stay whole in a run file: 1, not 1.0.
  static Json as_json(const Json& value) {
    if (!value.is_number_float() || std::abs(value.get<double>()) > 1e15) return value;
    const auto whole = static_cast<std::int64_t>(value.get<double>());
    return static_cast<double>(whole) == value.get<double>() ? Json(whole) : value;
  }

  template <typename T>
  static Option declared_as(Option::Type type, const char* path, const OptionDefault<T>& fallback,
                            const std::string& meaning, const OptionLimits& limits) {
    Option option;
    option.path = path;
    option.type = type;
    option.meaning = meaning;
    option.unit = limits.unit;
    option.minimum = limits.minimum;
    option.maximum = limits.maximum;
    option.nullable = fallback.nullable();
    option.fallback = fallback.nullable() ? "null" : as_json(*fallback.ours()).dump();
    if (fallback.nullable() && fallback.ours()) {
      const Json ours = as_json(*fallback.ours()), published = as_json(*fallback.published());
      const auto shown = [](const Json& value) {
        return value.is_string() ? value.template get<std::string>() : value.dump();
      };
      option.meaning += " null: " + shown(ours) + ", with official " + shown(published) + ".";
    }
    return option;
  }

  template <typename T, typename Member>
  OptionBinding& add(Option::Type type, const char* path, Member member,
                     const OptionDefault<T>& fallback, const std::string& meaning,
                     const OptionLimits& limits) {
    bind<T>(declared_as(type, path, fallback, meaning, limits), fallback,
            [member](Options& options, const T& given) {
              if constexpr (std::is_arithmetic_v<T> && std::is_arithmetic_v<Held<Member>>) {
                std::invoke(member, options) = static_cast<Held<Member>>(given);
              } else {
                std::invoke(member, options) = given;
              }
            });
    return *this;
  }

  template <typename T, typename Set>
  void bind(Option option, const OptionDefault<T>& fallback, Set set) {
    declared_.push_back(std::move(option));
    read_.push_back([fallback, set](Options& options, const Json& given, bool official) {
      if (!given.is_null()) {
        set(options, given.template get<T>());
      } else if (const auto& decided = official ? fallback.published() : fallback.ours()) {
        set(options, *decided);
      }
    });
  }

  std::vector<Option> declared_;
  std::vector<std::function<void(Options&, const Json&, bool official)>> read_;
};

}  // namespace lacuna::methods
