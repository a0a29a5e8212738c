// Look-ups of complete parameters and facts, with "" or 0 for what was not given.
// Must not: judge a value. Next: model/param.hpp.
#pragma once

#include "base/text.hpp"
#include "model/kind.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace drill::faults {

template <class T>
[[nodiscard]] T value_or(const Values& values, std::string_view name, T fallback) {
    const T* found = value_of<T>(values, name);
    return found == nullptr ? std::move(fallback) : *found;
}

[[nodiscard]] inline std::string text_of(const Values& values, std::string_view name) {
    return value_or<std::string>(values, name, {});
}

[[nodiscard]] inline std::vector<std::string> texts_of(const Values& values,
                                                       std::string_view name) {
    return value_or<std::vector<std::string>>(values, name, {});
}

[[nodiscard]] inline std::string fact_of(const Facts& facts, const std::string& name) {
    const auto found = facts.find(name);
    return found == facts.end() ? std::string{} : found->second;
}

/// The loader allows only choices; a request from elsewhere is not believed either.
[[nodiscard]] inline Status examine_choice(const Values& values, const Param& param) {
    const std::string given = text_of(values, param.name);
    for (const std::string& choice : split(param.choices, '|')) {
        if (given == choice) { return ok(); }
    }
    return fail(Code::refused,
                "`" + std::string(param.name) + "` is none of " + std::string(param.choices));
}

/// argv of one small POSIX script. `zeroth` is its $0 and makes it known in a process list;
/// everything variable is an argument, never part of the script.
[[nodiscard]] inline Exec script(std::string_view text, std::vector<std::string> arguments) {
    Exec exec{{"sh", "-c", std::string(text), "drill-step"}, {}};
    exec.argv.insert(exec.argv.end(), arguments.begin(), arguments.end());
    return exec;
}

}  // namespace drill::faults
