# For sparsekit's own tests, benchmarks and examples: warnings, optimisation, and functions that add them.
# None of this reaches a project that uses the library.
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release)
endif()

find_package(Threads REQUIRED)

add_library(sparsekit_development INTERFACE)
target_link_libraries(sparsekit_development INTERFACE sparsekit::sparsekit Threads::Threads)
target_compile_options(sparsekit_development INTERFACE -Wall -Wextra -Wconversion -Wshadow -Wpedantic)
option(SPARSEKIT_WARNINGS_AS_ERRORS "Treat warnings in tests, benchmarks and examples as errors" OFF)
if(SPARSEKIT_WARNINGS_AS_ERRORS)
  target_compile_options(sparsekit_development INTERFACE -Werror)
endif()

# g++ collects garbage whenever its heap has doubled, from 128 MB on: a tenth of the time of a test, which is saved
# where there is room.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  cmake_host_system_information(RESULT megabytes QUERY TOTAL_PHYSICAL_MEMORY)
  cmake_host_system_information(RESULT cores QUERY NUMBER_OF_LOGICAL_CORES)
  math(EXPR megabytes_per_core "${megabytes} / ${cores}")
  if(megabytes_per_core GREATER_EQUAL 4096)
    target_compile_options(sparsekit_development INTERFACE --param=ggc-min-heapsize=1048576)
  endif()
endif()

# Real data (matrices, networks) lives outside the repository; tests that need it skip without it.
set(SPARSEKIT_DATA_DIR "${PROJECT_SOURCE_DIR}/../shared/data" CACHE PATH "Folder with the test data")

# sparsekit_add_program(NAME SOURCES… [LIBRARIES …]): an executable with the project's warnings.
function(sparsekit_add_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LIBRARIES")
  add_executable(${name} ${arg_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE sparsekit_development ${arg_LIBRARIES})
endfunction()

# sparsekit_add_doctest(NAME SOURCES… [LIBRARIES …] [ARGUMENTS …] [PRECOMPILED HEADER] [DATA]): a doctest executable
# and its ctest entry, which gives it ARGUMENTS. PRECOMPILED: a header that all its sources include, instead of the one
# that tests share.
# DATA: it needs SPARSEKIT_DATA_DIR, gets the label `data`, and is skipped where that folder is missing.
function(sparsekit_add_doctest name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "DATA" "PRECOMPILED" "LIBRARIES;ARGUMENTS")
  string(REPLACE "." "_" target "test_${name}")
  add_executable(${target} ${arg_UNPARSED_ARGUMENTS})
  target_link_libraries(${target} PRIVATE sparsekit_doctest_main sparsekit_development sparsekit::io
                                          ${arg_LIBRARIES})
  get_target_property(shared sparsekit_doctest_main PRECOMPILE_HEADERS)
  if(arg_PRECOMPILED)
    target_precompile_headers(${target} PRIVATE ${arg_PRECOMPILED})
  elseif(shared)
    target_precompile_headers(${target} REUSE_FROM sparsekit_doctest_main)
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # g++ 12 forgets which precompiled headers were system headers, and warns of std::string's own code and of its
    # AVX-512 intrinsics.
    target_compile_options(${target} PRIVATE -Wno-array-bounds -Wno-restrict -Wno-stringop-overflow
                                             -Wno-uninitialized -Wno-maybe-uninitialized)
  endif()
  add_test(NAME ${name} COMMAND ${target} ${arg_ARGUMENTS})
  set_tests_properties(${name} PROPERTIES LABELS doctest TIMEOUT 900
                       ENVIRONMENT "SPARSEKIT_DATA_DIR=${SPARSEKIT_DATA_DIR}")
  if(arg_DATA)
    set_tests_properties(${name} PROPERTIES LABELS "data" SKIP_RETURN_CODE 77
      ENVIRONMENT "SPARSEKIT_DATA_DIR=${SPARSEKIT_DATA_DIR};SPARSEKIT_TEST_NEEDS_DATA=1")
  endif()
endfunction()

# sparsekit_add_doctests(PREFIX): one test `PREFIX.<file>` for each .cpp file of the current folder.
# A file named *_data.cpp needs SPARSEKIT_DATA_DIR.
function(sparsekit_add_doctests prefix)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LIBRARIES")
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.cpp")
  foreach(source IN LISTS sources)
    cmake_path(GET source STEM name)
    if(name MATCHES "_data$")
      sparsekit_add_doctest(${prefix}.${name} ${source} DATA LIBRARIES ${arg_LIBRARIES})
    else()
      sparsekit_add_doctest(${prefix}.${name} ${source} LIBRARIES ${arg_LIBRARIES})
    endif()
  endforeach()
endfunction()

# sparsekit_add_directories(): every subfolder that has a CMakeLists.txt.
function(sparsekit_add_directories)
  file(GLOB lists CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*/CMakeLists.txt")
  foreach(list IN LISTS lists)
    cmake_path(GET list PARENT_PATH dir)
    add_subdirectory("${dir}")
  endforeach()
endfunction()

# sparsekit_add_script_test(NAME COMMAND…): a script that checks something; it passes if it exits with 0.
function(sparsekit_add_script_test name)
  add_test(NAME ${name} COMMAND ${ARGN})
  set_tests_properties(${name} PROPERTIES LABELS script TIMEOUT 600)
endfunction()
