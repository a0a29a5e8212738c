# Performs probes. Apart from the transports, so that it can be built and tested alone.
add_library(drill_sampler STATIC
    ${CMAKE_CURRENT_LIST_DIR}/sampler.cpp ${CMAKE_CURRENT_LIST_DIR}/sampler_http.cpp
    ${CMAKE_CURRENT_LIST_DIR}/sampler_tcp.cpp ${CMAKE_CURRENT_LIST_DIR}/sampler_pool.cpp
    ${CMAKE_CURRENT_LIST_DIR}/sampler_talk.cpp ${CMAKE_CURRENT_LIST_DIR}/sampler_dns.cpp
    ${CMAKE_CURRENT_LIST_DIR}/sampler_tls.cpp ${CMAKE_CURRENT_LIST_DIR}/sampler_postgres.cpp
    ${CMAKE_CURRENT_LIST_DIR}/secret_source.cpp)
target_link_libraries(drill_sampler PUBLIC drill_transport drill_model drill_base drill_flags
                                    PRIVATE CURL::libcurl OpenSSL::SSL PkgConfig::POSTGRES)
