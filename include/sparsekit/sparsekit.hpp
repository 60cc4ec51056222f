// Everything a program needs to hold sparse matrices and to multiply with them.
#pragma once

#include "check.hpp"
#include "convert/conversions.hpp"
#include "convert/from_dense.hpp"
#include "convert/from_triplets.hpp"
#include "convert/from_view.hpp"
#include "convert/prune.hpp"
#include "convert/to_dense.hpp"
#include "convert/to_symmetric.hpp"
#include "convert/transpose.hpp"
#include "multiply.hpp"
#include "pack/bitmask.hpp"
#include "pack/dense.hpp"
#include "pack/nm.hpp"
#include "pack/pack.hpp"
#include "pack/structured.hpp"
#include "version.hpp"
