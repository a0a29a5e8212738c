# Makes a C++ file out of a program: cmake -DPROGRAM=.. -DOUTPUT=.. -P embed.cmake
# An empty PROGRAM gives an empty one: a build for a machine that the holder is not written for.
set(bytes "")
set(sum "")
if(PROGRAM)
    file(READ ${PROGRAM} hex HEX)
    file(SHA256 ${PROGRAM} sum)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "\\\\x\\1" bytes "${hex}")
    # 32 bytes a line: "\x7f\x45.." followed by the next string
    string(REGEX REPLACE
        "((\\\\x..)(\\\\x..)(\\\\x..)(\\\\x..)(\\\\x..)(\\\\x..)(\\\\x..)(\\\\x..))" "    \"\\1\"\n" bytes "${bytes}")
    file(SIZE ${PROGRAM} size)
    math(EXPR rest "${size} % 8")
    if(NOT rest EQUAL 0)
        message(FATAL_ERROR "${PROGRAM} has ${size} bytes, not a multiple of 8")
    endif()
    set(bytes "${bytes}    , ${size}")
else()
    set(bytes "    \"\"\n    , 0")
endif()
file(WRITE ${OUTPUT} "// Made from the holder by embed.cmake.
#include \"holder/program.hpp\"

namespace drill {

const HolderProgram& holder_program() {
    static constexpr HolderProgram program{std::string_view{
${bytes}}, \"${sum}\"};
    return program;
}

}  // namespace drill
")
