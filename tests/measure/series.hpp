// Series of samples drawn as text, for tables of expectations.
#pragma once

#include "engine/measure.hpp"

#include <string_view>
#include <vector>

namespace drill::test {

using namespace std::chrono_literals;

inline ProbeSpec spec_of(Nanos every = 100ms, Nanos timeout = 1s) {
    ProbeSpec spec;
    spec.name = "order";
    spec.kind = "http";
    spec.every = every;
    spec.timeout = timeout;
    return spec;
}

/// One letter per question: o ok after 1 ms, d degraded after 300 ms, f refused after 1 ms,
/// t timed out, u unknown, and a blank for a number without a sample.
inline std::vector<Sample> draw(std::string_view letters, Nanos every = 100ms, Nanos from = 0s) {
    std::vector<Sample> series;
    for (std::size_t i = 0; i < letters.size(); ++i) {
        if (letters[i] == ' ') { continue; }
        Sample sample;
        sample.number = i;
        sample.intended = from + every * static_cast<std::int64_t>(i);
        sample.sent = sample.intended;
        sample.received = sample.sent + 1ms;
        switch (letters[i]) {
            case 'o': sample.state = SampleState::ok; break;
            case 'd':
                sample.state = SampleState::degraded;
                sample.received = sample.sent + 300ms;
                break;
            case 'f': sample.state = SampleState::failed; break;
            case 't':
                sample.state = SampleState::failed;
                sample.received = sample.sent + 1s;
                break;
            default: sample.state = SampleState::unknown; break;
        }
        series.push_back(sample);
    }
    return series;
}

}  // namespace drill::test
