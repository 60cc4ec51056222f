// The version of sparsekit: the one place that holds it (CMake, pkg-config and recipes read it here).
#pragma once

#define SPARSEKIT_VERSION_MAJOR 0
#define SPARSEKIT_VERSION_MINOR 1
#define SPARSEKIT_VERSION_PATCH 0
