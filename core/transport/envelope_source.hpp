// The text of envelope.sh, put into the program at build time by embed.cmake.
// Must not: be used by anybody but envelope.cpp and its test.
#pragma once

#include <string_view>

namespace drill {

extern const std::string_view envelope_source;

}  // namespace drill
