// A seeded source of integers, the same on every machine and library (the standard
// distributions differ). splitmix64 of Steele, Lea, Flood (OOPSLA 2014), public constants.
// Must not: be used for secrets; ids.hpp draws from the operating system.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace drill {

class Random {
public:
    explicit Random(std::uint64_t seed) noexcept : state_(seed) {}

    [[nodiscard]] std::uint64_t next() noexcept {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
        z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
        z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
        return z ^ (z >> 31U);
    }
    /// Uniform in [0, bound); bound 0 gives 0. Rejection keeps it unbiased.
    [[nodiscard]] std::uint64_t below(std::uint64_t bound) noexcept {
        if (bound == 0) { return 0; }
        const std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
        std::uint64_t draw = next();
        while (draw >= limit) { draw = next(); }
        return draw % bound;
    }
    /// True with probability per_mille / 1000.
    [[nodiscard]] bool chance(std::uint64_t per_mille) noexcept { return below(1000) < per_mille; }

    template <class T>
    void shuffle(std::vector<T>& items) noexcept {
        for (std::size_t i = items.size(); i > 1; --i) {
            std::swap(items[i - 1], items[static_cast<std::size_t>(below(i))]);
        }
    }

private:
    std::uint64_t state_;
};

}  // namespace drill
