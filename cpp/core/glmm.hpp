// Laplace approximation of a generalized linear mixed model and its exact gradient (docs/algorithm.md, "Generalized models").
//
//   f(theta, beta, t) = -2 sum log p(y_i | eta_i, t) + u'u + log|Lambda'Z'WZ Lambda + I|   at the mode u of the first two,
//   eta = offset + X beta + Z Lambda u, W = minus the second derivatives of the log-density.
#pragma once

#include <memory>
#include <vector>

#include "core/criterion.hpp"
#include "core/kernel.hpp"
#include "core/refill.hpp"
#include "core/sweep.hpp"

namespace me {

struct GlmmPoint {
    bool ok = false;  // false: no mode was found, or W leaves no minimum there
    double value = 0.0, loglik = 0.0, penalty = 0.0, log_det = 0.0;
    int n_steps = 0;  // of the inner iteration
    std::vector<double> theta_gradient, beta_gradient;  // d, and p where beta is given
    double t_gradient = 0.0;
    std::vector<std::vector<double>> G;       // by block (k, k): derivative in the covariance S
    std::vector<double> beta;                 // p
    std::vector<std::vector<double>> modes;   // by block (n_levels, k): b = Lambda u
    std::vector<std::vector<double>> s;       // by block (n_levels, k): b = S s, where the next inner iteration may start
    std::vector<double> eta;                  // n
    std::vector<double> XVX;                  // p x p, where beta is part of the mode
};

struct GlmmOptions {
    bool joint = false;          // beta is part of the mode: the fast approximation (nagq = 0)
    bool expected = false;       // W is the expected information
    bool gradient = true;
    double tolerance = 1e-12;    // on what one more inner step would gain, in units of the criterion
    int max_steps = 100;
};

class Glmm {
  public:
    Glmm(const CrossProducts &pattern, WorkingRows rows, const double *offset, std::vector<Entry> entries,
         std::shared_ptr<const Kernel> kernel);

    // Not thread-safe: the plans are refilled. `start` may be empty.
    GlmmPoint evaluate(const std::vector<double> &theta, const std::vector<double> &beta, double t,
                       const std::vector<std::vector<double>> &start, const GlmmOptions &options);
    const Plan &plan() const { return random_.plan(); }
    int p() const { return rows_.p; }
    const WorkingRows &rows() const { return rows_; }
    const Kernel &kernel() const { return *kernel_; }

  private:
    struct State {
        std::vector<double> beta, eta;
        std::vector<std::vector<double>> b, s;
    };
    void predict(State &state) const;
    bool find_mode(State &state, const Factors<double> &factors, double t, const GlmmOptions &options, GlmmPoint &out);
    bool differentiate(const State &state, const Factors<double> &factors, const Sweep<double> &sweep,
                       const GlmmOptions &options, GlmmPoint &out);
    std::vector<double> row_variances(const Sweep<double> &sweep) const;

    WorkingRows rows_;
    const double *offset_;
    Refill random_, full_;
    std::shared_ptr<const Kernel> kernel_;
    RowDerivatives d_;
    std::vector<double> observed_, W_, v_;  // -d2; the weights of the step or of the log-determinant; scratch
};

}  // namespace me
