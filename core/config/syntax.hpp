// Plain words for a syntax error. The parser says where it stopped and what it saw there; this
// looks at the statement around that place and says what a person has to mend.
#pragma once

#include "config/scan.hpp"

#include <string_view>

namespace drill {

/// `at` and `description` as the parser gave them.
void report_syntax(std::string_view text, const Scan& scan, Spot at, std::string_view description,
                   Report& report);

}  // namespace drill
