// Metrics, verdicts and the words of reports, as the manual explains them.
// Must not: define anything anew; formulas are those of engine/measure.hpp. Next: manual.hpp.
#pragma once

#include "config/manual.hpp"

#include <span>

namespace drill {

struct WordHelp {
    TopicGroup group{TopicGroup::word};
    std::string_view name;
    std::string_view aliases;  ///< blank-separated
    std::string_view summary;
    std::string_view text;  ///< Markdown
};
[[nodiscard]] std::span<const WordHelp> word_helps();

}  // namespace drill
