// What nearly every test includes and no test changes, compiled once: xsimd alone takes g++ two seconds, five
// for AArch64. Nothing of sparsekit: its headers are to be found and complete where a test includes them.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <ranges>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>
#include <xsimd/xsimd.hpp>
