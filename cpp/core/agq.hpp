// Adaptive Gauss-Hermite quadrature of a generalized linear mixed model with one grouping factor, with the exact gradient
// of what the rule gives (docs/algorithm.md, "Generalized models").
//
//   f(theta, beta, t) = -2 sum_j log int p(y_j | eta_j, t) phi(u) du,   u ~ N(0, I_k),
//
// by the nodes u_j + A_j z of each level j: u_j the mode, A_j A_j' = M_j^-1, M_j = Lambda'Z_j'WZ_j Lambda + I.
#pragma once

#include <vector>

#include "core/glmm.hpp"

namespace me {

struct Rule {  // for the standard normal distribution in k dimensions
    int k = 0;
    std::vector<double> z;            // (n_nodes, k) row-major
    std::vector<double> log_weights;  // n_nodes; the weights add up to 1
    int n_nodes() const { return static_cast<int>(log_weights.size()); }
};

// As Glmm::evaluate; a rule of one node at 0 gives the Laplace approximation. Here G is the derivative in the covariance
// S of the integral, by the same rule: at S = 0 that is the derivative of the criterion itself.
GlmmPoint quadrature(Glmm &glmm, const Rule &rule, const std::vector<double> &theta, const std::vector<double> &beta,
                     double t, const std::vector<std::vector<double>> &start, double tolerance);

}  // namespace me
