# The pure mathematics of samples, usable without the engine.
add_library(drill_measure STATIC ${CMAKE_CURRENT_LIST_DIR}/measure.cpp
                                 ${CMAKE_CURRENT_LIST_DIR}/measure_outage.cpp)
target_link_libraries(drill_measure PUBLIC drill_model drill_base drill_flags)
