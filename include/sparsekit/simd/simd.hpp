// The vector layer: the only storey that knows xsimd or an intrinsic.
#pragma once

#include "avx2.hpp"
#include "avx512.hpp"
#include "generic.hpp"
#include "math.hpp"
#include "mixed.hpp"
#include "narrow.hpp"
#include "neon.hpp"
#include "registers.hpp"
#include "row_sums.hpp"
