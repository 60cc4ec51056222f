# Finds xsimd >= 12.1 and defines the imported target sparsekit::xsimd. Used by the build and by the
# installed package, so that both find it the same way:
#   1. SPARSEKIT_XSIMD_ROOT: a folder that holds include/xsimd/xsimd.hpp
#   2. build/deps/xsimd, where scripts/bootstrap.sh puts it (in a source tree only)
#   3. find_package(xsimd); its version file refuses ranges across majors, so the version is checked here
#   4. headers without a CMake package on CMAKE_PREFIX_PATH or the system's include path
#   5. a pinned download, if SPARSEKIT_FETCH_XSIMD is on
# A target of our own, because an xsimd that is too old may have defined the target `xsimd` already.
include_guard(DIRECTORY)

set(SPARSEKIT_XSIMD_MINIMUM 12.1)
set(SPARSEKIT_XSIMD_ROOT "" CACHE PATH "Folder that holds include/xsimd/xsimd.hpp (default: search)")

# Sets `result` to the version of the headers in `include_dir`, or to "" when there are none.
function(sparsekit_xsimd_header_version include_dir result)
  set(config "${include_dir}/xsimd/config/xsimd_config.hpp")
  set(version "")
  if(EXISTS "${config}")
    file(STRINGS "${config}" lines REGEX "define XSIMD_VERSION_(MAJOR|MINOR|PATCH) +[0-9]+")
    string(REGEX REPLACE "[^;0-9]+" "" numbers "${lines}")
    list(JOIN numbers "." version)
  endif()
  set(${result} "${version}" PARENT_SCOPE)
endfunction()

# Defines sparsekit::xsimd from the headers in `include_dir` if they are new enough.
macro(sparsekit_use_xsimd_headers include_dir)
  sparsekit_xsimd_header_version("${include_dir}" _sparsekit_xsimd_version)
  if(_sparsekit_xsimd_version AND _sparsekit_xsimd_version VERSION_GREATER_EQUAL SPARSEKIT_XSIMD_MINIMUM)
    add_library(sparsekit::xsimd INTERFACE IMPORTED GLOBAL)
    set_target_properties(sparsekit::xsimd PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${include_dir}")
    set(SPARSEKIT_XSIMD_VERSION "${_sparsekit_xsimd_version}")
  elseif(_sparsekit_xsimd_version)
    list(APPEND _sparsekit_xsimd_too_old "${_sparsekit_xsimd_version} in ${include_dir}")
  endif()
endmacro()

set(_sparsekit_xsimd_too_old "")
if(NOT TARGET sparsekit::xsimd AND SPARSEKIT_XSIMD_ROOT)
  sparsekit_use_xsimd_headers("${SPARSEKIT_XSIMD_ROOT}/include")
  if(NOT TARGET sparsekit::xsimd)
    message(FATAL_ERROR "sparsekit: no xsimd >= ${SPARSEKIT_XSIMD_MINIMUM} in SPARSEKIT_XSIMD_ROOT (${SPARSEKIT_XSIMD_ROOT})")
  endif()
endif()

if(NOT TARGET sparsekit::xsimd)
  sparsekit_use_xsimd_headers("${CMAKE_CURRENT_LIST_DIR}/../build/deps/xsimd/include")
endif()

if(NOT TARGET sparsekit::xsimd)
  if(NOT TARGET xsimd)
    find_package(xsimd CONFIG QUIET)
  endif()
  if(TARGET xsimd AND xsimd_VERSION AND xsimd_VERSION VERSION_GREATER_EQUAL SPARSEKIT_XSIMD_MINIMUM)
    add_library(sparsekit::xsimd INTERFACE IMPORTED GLOBAL)
    set_target_properties(sparsekit::xsimd PROPERTIES INTERFACE_LINK_LIBRARIES xsimd)
    set(SPARSEKIT_XSIMD_VERSION "${xsimd_VERSION}")
    # find_package defines its target for this directory only; sparsekit::xsimd is visible everywhere.
    get_target_property(_sparsekit_xsimd_imported xsimd IMPORTED)
    if(_sparsekit_xsimd_imported)
      set_target_properties(xsimd PROPERTIES IMPORTED_GLOBAL TRUE)
    endif()
  elseif(xsimd_VERSION)
    list(APPEND _sparsekit_xsimd_too_old "${xsimd_VERSION} in ${xsimd_DIR}")
  endif()
endif()

if(NOT TARGET sparsekit::xsimd)
  find_path(SPARSEKIT_XSIMD_INCLUDE_DIR NAMES xsimd/xsimd.hpp)
  mark_as_advanced(SPARSEKIT_XSIMD_INCLUDE_DIR)
  if(SPARSEKIT_XSIMD_INCLUDE_DIR)
    sparsekit_use_xsimd_headers("${SPARSEKIT_XSIMD_INCLUDE_DIR}")
  endif()
endif()

if(NOT TARGET sparsekit::xsimd AND SPARSEKIT_FETCH_XSIMD)
  include(FetchContent)
  FetchContent_Declare(
    xsimd
    GIT_REPOSITORY https://github.com/xtensor-stack/xsimd.git
    GIT_TAG 01bd143c82a215973a643d709121617b7fc57dae) # 14.0.0
  FetchContent_GetProperties(xsimd)
  if(NOT xsimd_POPULATED)
    FetchContent_MakeAvailable(xsimd)
  endif()
  sparsekit_use_xsimd_headers("${xsimd_SOURCE_DIR}/include")
endif()

if(NOT TARGET sparsekit::xsimd)
  if(_sparsekit_xsimd_too_old)
    list(JOIN _sparsekit_xsimd_too_old ", " _sparsekit_xsimd_too_old)
    set(_sparsekit_xsimd_too_old " (too old: ${_sparsekit_xsimd_too_old})")
  endif()
  set(SPARSEKIT_XSIMD_NOT_FOUND
      "sparsekit needs xsimd >= ${SPARSEKIT_XSIMD_MINIMUM}${_sparsekit_xsimd_too_old}: run scripts/bootstrap.sh, install xsimd, set SPARSEKIT_XSIMD_ROOT, or configure with -DSPARSEKIT_FETCH_XSIMD=ON")
  # The installed package reports this through find_package instead.
  if(NOT SPARSEKIT_XSIMD_OPTIONAL)
    message(FATAL_ERROR "${SPARSEKIT_XSIMD_NOT_FOUND}")
  endif()
endif()
