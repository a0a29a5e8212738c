# Puts the pages of a folder of kinds into a source file, so that `drill explain` works from the binary alone.
# cmake -DTABLE=fault_pages -DINCLUDE=faults/kinds.hpp -DOUT=pages.cpp "-DFILES=a.md;b.md" -P embed_pages.cmake
# Run at build time, whenever a page changes. Must not: change a byte of a page.
set(text "// Made from the pages of kinds.\n#include \"${INCLUDE}\"\n\nnamespace drill {\nnamespace {\nconstexpr KindPage pages[] = {\n")
foreach(file ${FILES})
    get_filename_component(name "${file}" NAME_WE)
    file(READ "${file}" page)
    string(APPEND text "{\"${name}\", R\"kindpage(${page})kindpage\"},\n")
endforeach()
string(APPEND text "};\n}  // namespace\n\nKindPages ${TABLE}() { return pages; }\n\n}  // namespace drill\n")
file(WRITE "${OUT}" "${text}")
