// Trust-region Newton in theta (docs/algorithm.md, "The optimizer").
#pragma once

#include <vector>

#include "core/criterion.hpp"

namespace me {

struct NewtonOptions {
    double tolerance = 1e-11;  // on the Newton decrement, in units of the criterion
    int max_evaluations = 200;
    bool exact_hessian = true;  // where average information leads on too slowly
    int n_threads = 1;  // for the large loops; the answer does not depend on it
};

struct NewtonStep {  // one evaluated point
    double value, decrement, radius, step_norm;
    bool accepted, exact;
};

struct NewtonResult {
    std::vector<double> theta;
    Evaluation evaluation;  // at theta
    double decrement = 0.0;
    bool converged = false;
    int n_evaluations = 0, n_hessians = 0;
    std::vector<NewtonStep> trace;
};

NewtonResult minimize(const Criterion &criterion, std::vector<double> start, const NewtonOptions &options);

}  // namespace me
