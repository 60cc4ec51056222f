# Install rules: headers, the CMake package (find_package(sparsekit [COMPONENTS io])) and a pkg-config file.
include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/sparsekit")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/sparsekit" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
        FILES_MATCHING PATTERN "*.hpp" PATTERN "*.inc")
install(TARGETS sparsekit EXPORT sparsekitTargets)
install(EXPORT sparsekitTargets NAMESPACE sparsekit:: DESTINATION "${package_dir}")
# io in a file of its own: it is read only when its dependencies are there.
if(TARGET sparsekit_io)
  install(TARGETS sparsekit_io EXPORT sparsekitIoTargets)
  install(EXPORT sparsekitIoTargets NAMESPACE sparsekit:: DESTINATION "${package_dir}")
endif()

configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/sparsekitConfig.cmake.in" sparsekitConfig.cmake
                              INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file(sparsekitConfigVersion.cmake COMPATIBILITY SameMinorVersion
                                 ARCH_INDEPENDENT)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/sparsekitConfig.cmake"
              "${CMAKE_CURRENT_BINARY_DIR}/sparsekitConfigVersion.cmake"
              "${PROJECT_SOURCE_DIR}/cmake/SparsekitXsimd.cmake" DESTINATION "${package_dir}")

# A relative prefix keeps the file right when the installed tree is moved.
file(RELATIVE_PATH pc_prefix "${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
configure_file("${PROJECT_SOURCE_DIR}/cmake/sparsekit.pc.in" sparsekit.pc @ONLY)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/sparsekit.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DATADIR}/licenses/sparsekit")
