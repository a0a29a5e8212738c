# Target drill_envelope: the text that runs on targets, apart from what carries it there.
add_custom_command(
    OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/envelope_sh.cpp
    COMMAND ${CMAKE_COMMAND} -DIN=${CMAKE_CURRENT_LIST_DIR}/envelope.sh
            -DOUT=${CMAKE_CURRENT_BINARY_DIR}/envelope_sh.cpp -P ${CMAKE_CURRENT_LIST_DIR}/embed.cmake
    DEPENDS ${CMAKE_CURRENT_LIST_DIR}/envelope.sh ${CMAKE_CURRENT_LIST_DIR}/embed.cmake
    VERBATIM)
drill_folder(envelope DEPENDS base model
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/envelope.cpp ${CMAKE_CURRENT_LIST_DIR}/envelope_reply.cpp
            ${CMAKE_CURRENT_BINARY_DIR}/envelope_sh.cpp)
