# The component sparsekit::io (header-only like the rest): file formats. zlib, where it is found, adds the
# compressed ones.
add_library(sparsekit_io INTERFACE)
add_library(sparsekit::io ALIAS sparsekit_io)
set_target_properties(sparsekit_io PROPERTIES EXPORT_NAME io)
target_link_libraries(sparsekit_io INTERFACE sparsekit)

find_package(ZLIB QUIET)
set(SPARSEKIT_IO_USES_ZLIB ${ZLIB_FOUND})
if(ZLIB_FOUND)
  target_link_libraries(sparsekit_io INTERFACE ZLIB::ZLIB)
  target_compile_definitions(sparsekit_io INTERFACE SPARSEKIT_HAS_ZLIB=1)
endif()
