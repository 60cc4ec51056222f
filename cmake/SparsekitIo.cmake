# The component sparsekit::io (header-only like the rest): needs nlohmann-json, and zlib for .gz files.
# Without nlohmann-json there is no such target, and nothing else changes.
find_package(nlohmann_json CONFIG QUIET)
if(NOT TARGET nlohmann_json::nlohmann_json)
  # scripts/bootstrap.sh leaves a copy of the headers here, for cross-compilers.
  find_path(SPARSEKIT_JSON_INCLUDE_DIR nlohmann/json.hpp
            HINTS "${PROJECT_SOURCE_DIR}/build/deps/nlohmann/include" NO_CMAKE_FIND_ROOT_PATH)
  mark_as_advanced(SPARSEKIT_JSON_INCLUDE_DIR)
endif()
if(NOT TARGET nlohmann_json::nlohmann_json AND NOT SPARSEKIT_JSON_INCLUDE_DIR)
  message(STATUS "sparsekit: no nlohmann-json, so no sparsekit::io (install nlohmann-json3-dev)")
  return()
endif()

add_library(sparsekit_io INTERFACE)
add_library(sparsekit::io ALIAS sparsekit_io)
set_target_properties(sparsekit_io PROPERTIES EXPORT_NAME io)
target_link_libraries(sparsekit_io INTERFACE sparsekit)
if(TARGET nlohmann_json::nlohmann_json)
  target_link_libraries(sparsekit_io INTERFACE nlohmann_json::nlohmann_json)
else()
  target_include_directories(sparsekit_io SYSTEM INTERFACE "$<BUILD_INTERFACE:${SPARSEKIT_JSON_INCLUDE_DIR}>")
endif()

find_package(ZLIB QUIET)
set(SPARSEKIT_IO_USES_ZLIB ${ZLIB_FOUND})
if(ZLIB_FOUND)
  target_link_libraries(sparsekit_io INTERFACE ZLIB::ZLIB)
  target_compile_definitions(sparsekit_io INTERFACE SPARSEKIT_HAS_ZLIB=1)
endif()
