// Moment estimates of the covariances as a starting value: MINQUE at S = 0, which needs no factorisation.
#pragma once

#include <vector>

#include "core/plan.hpp"

namespace me {

// Coefficients of the moment equations, (d + 1) x (d + 1): tr(P0 V_e P0 V_f), tr(P0 V_e), n - p, with P0 = I - X X'
// for orthonormal X and V_e = Z E_e Z' for the symmetric direction of entry e.
std::vector<double> moment_matrix(const CrossProducts &products, const std::vector<Entry> &entries);

// theta from the moment equations, with small and negative variances raised; the identity where they have no solution.
std::vector<double> moment_start(const Plan &plan, const Response &response);

}  // namespace me
