// A layer of a user's network, in a translation unit of its own.
#pragma once

#include <sparsekit/sparsekit.hpp>
#include <vector>

std::vector<float> apply_layer(const sparsekit::csr_matrix<float>& weights, const std::vector<float>& x);
