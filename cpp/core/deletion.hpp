// The model without some of its rows: their products are taken from the cross-products, and the search starts at the
// estimate of all rows. Nothing is read from the data but the rows that go.
#pragma once

#include <cstdint>
#include <vector>

#include "core/criterion.hpp"

namespace me {

// Cross-products of the rows that stay, over the same levels (those that no longer occur have products of zero).
CrossProducts without(const CrossProducts &all, const Rows &rows, const Basis &basis, const std::int64_t *gone, std::int64_t count);

struct Deletion {
    bool ok = false;         // false: a factorisation failed, nothing else is meaningful
    bool converged = false;  // true also where theta is held
    int n_evaluations = 0;
    double value = 0.0, rss = 0.0;
    std::vector<double> theta, beta, XVX;  // as in Evaluation
};

struct DeletionOptions {
    bool refit = true;              // else theta is held at the start
    std::vector<double> curvature;  // d x d, exact, of all rows at the start; empty where it is not positive definite
    double tolerance = 1e-11;
    int max_evaluations = 200;
};

Deletion deletion(const CrossProducts &all, const Rows &rows, const Basis &basis, const std::int64_t *gone,
                  std::int64_t count, const Criterion &criterion, const std::vector<double> &theta,
                  const DeletionOptions &options);

}  // namespace me
