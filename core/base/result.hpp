// Errors as values. A failed call says which code, what happened, along which trail, and
// what the target may have undergone. Ignoring a Result does not compile without a warning.
// Must not: throw for expected failures. Next: base/diagnostic.hpp (bad input), model/action.hpp.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <variant>
#include <vector>

// A broken invariant ends the process in every build. That is safe: leases are durable and
// every transient change carries its own dead man on the target.
#define DRILL_ASSERT(condition)                                                                 \
    do {                                                                                        \
        if (!(condition)) {                                                                     \
            std::fprintf(stderr, "drill: broken invariant: %s (%s:%d)\n", #condition, __FILE__, \
                         __LINE__);                                                             \
            std::abort();                                                                       \
        }                                                                                       \
    } while (false)

namespace drill {

/// A code exists only where some caller acts differently on it.
enum class Code : unsigned char {
    invalid,      ///< input is wrong; nothing was tried
    refused,      ///< a gate or the target said no before anything was done
    unreachable,  ///< no connection could be made or it was lost
    auth_failed,  ///< the target rejected the credential (stops a fan-out)
    host_key,     ///< host key unknown, changed or revoked (message has the fingerprint)
    timed_out,    ///< the deadline passed
    cancelled,    ///< a stop was asked for
    rejected,     ///< the other side answered that it failed
    busy,         ///< somebody else holds the lock
    no_space,     ///< a file system or a limit is full
    newer,        ///< written by a newer version of this program
    not_found,    ///< the named thing does not exist
    internal,     ///< a bug or an error of this machine
};

/// What the target may have undergone when an action failed.
enum class Effect : unsigned char { none, done, unknown };

struct Error {
    Code code{Code::internal};
    Effect effect{Effect::none};
    std::string message;             ///< one sentence, no trailing full stop
    std::vector<std::string> trail;  ///< grows outward: action, host, step

    /// Adds one outer place to the trail.
    Error&& at(std::string place) && {
        trail.push_back(std::move(place));
        return std::move(*this);
    }
    [[nodiscard]] std::string text() const;
};

template <class T>
class [[nodiscard]] Result {
public:
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit
    [[nodiscard]] explicit operator bool() const noexcept { return state_.index() == 0; }
    [[nodiscard]] T& operator*() & {
        DRILL_ASSERT(state_.index() == 0);
        return *std::get_if<0>(&state_);
    }
    [[nodiscard]] const T& operator*() const& {
        DRILL_ASSERT(state_.index() == 0);
        return *std::get_if<0>(&state_);
    }
    [[nodiscard]] T&& operator*() && {
        DRILL_ASSERT(state_.index() == 0);
        return std::move(*std::get_if<0>(&state_));
    }
    [[nodiscard]] T* operator->() { return &**this; }
    [[nodiscard]] const T* operator->() const { return &**this; }
    [[nodiscard]] Error& error() & {
        DRILL_ASSERT(state_.index() == 1);
        return *std::get_if<1>(&state_);
    }
    [[nodiscard]] const Error& error() const& {
        DRILL_ASSERT(state_.index() == 1);
        return *std::get_if<1>(&state_);
    }
    [[nodiscard]] Error&& error() && {
        DRILL_ASSERT(state_.index() == 1);
        return std::move(*std::get_if<1>(&state_));
    }

private:
    std::variant<T, Error> state_;
};

using Status = Result<std::monostate>;
[[nodiscard]] inline Status ok() { return Status{std::monostate{}}; }

/// Builds an Error in one line.
[[nodiscard]] Error fail(Code code, std::string message, Effect effect = Effect::none);

[[nodiscard]] const char* name_of(Code code) noexcept;
[[nodiscard]] const char* name_of(Effect effect) noexcept;

}  // namespace drill

#define DRILL_CONCAT_(a, b) a##b
#define DRILL_CONCAT(a, b) DRILL_CONCAT_(a, b)
/// `DRILL_TRY(auto x, f());` binds the value or returns the error.
#define DRILL_TRY(decl, expr) DRILL_TRY_(DRILL_CONCAT(drill_result_, __LINE__), decl, expr)
#define DRILL_TRY_(tmp, decl, expr)              \
    auto tmp = (expr);                           \
    if (!tmp) { return std::move(tmp).error(); } \
    decl = *std::move(tmp)
/// `DRILL_CHECK(f());` returns the error of a Status.
#define DRILL_CHECK(expr)                                  \
    do {                                                   \
        if (auto drill_status_ = (expr); !drill_status_) { \
            return std::move(drill_status_).error();       \
        }                                                  \
    } while (false)
