// Laplace approximation of a generalized linear mixed model and its exact gradient (docs/algorithm.md, "Generalized models").
//
//   f(theta, beta, t) = -2 sum log p(y_i | eta_i, t) + u'u + log|Lambda'Z'WZ Lambda + I|   at the mode u of the first two,
//   eta = offset + X beta + Z Lambda u, W = minus the second derivatives of the log-density.
#pragma once

#include <memory>
#include <vector>

#include "core/criterion.hpp"
#include "core/fitted_variances.hpp"
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
    std::vector<double> curvature;            // d x d, on request: average information of the linear model at the mode
};

struct LinearStart {
    bool ok = false;
    std::vector<double> theta, beta;
    std::vector<std::vector<double>> s;
    std::vector<double> curvature, XVX;  // d x d and p x p: information on theta and beta
};

struct GlmmOptions {
    bool joint = false;          // beta is part of the mode: the fast approximation (nagq = 0)
    bool expected = false;       // W is the expected information
    bool gradient = true;
    double tolerance = 1e-12;    // on what the last inner step gained, or the error that it leaves, in units of the criterion
    int max_steps = 100;
    bool curvature = false;
};

class Glmm {
  public:
    Glmm(const CrossProducts &pattern, WorkingRows rows, const double *offset, std::vector<Entry> entries,
         std::shared_ptr<const Kernel> kernel);

    // Not thread-safe: the plans are refilled. `start` may be empty.
    GlmmPoint evaluate(const std::vector<double> &theta, const std::vector<double> &beta, double t,
                       const std::vector<std::vector<double>> &start, const GlmmOptions &options);

    // The linear mixed model that stands for this one at a mode (weights W, sigma = 1), fitted: where a search may start.
    LinearStart linear_start(const std::vector<double> &theta, const std::vector<double> &beta, double t,
                             const std::vector<std::vector<double>> &start, double tolerance);

    // Hessian (m x m) in theta, beta (unless it is part of the mode) and t by central differences of the gradient, `steps`
    // apart to each side, at a point whose mode is known: its s, and its beta where that is part of the mode. The modes at
    // the other points follow to first order in b (and s = Z'd1 from there), which leaves errors of the order of the
    // differences themselves also where the data tell b far more precisely than theta or beta. It is wanted
    // `shift` away from that point, so near that its mode follows to first order too. Empty where a point fails.
    std::vector<double> hessian(std::vector<double> theta, std::vector<double> beta, double t, std::vector<std::vector<double>> s,
                                const std::vector<double> &steps, const std::vector<double> &shift, const GlmmOptions &options,
                                int n_threads);
    const Plan &plan() const { return random_.plan(); }
    int p() const { return rows_.p; }
    const WorkingRows &rows() const { return rows_; }
    const Kernel &kernel() const { return *kernel_; }

  private:
    struct State {
        std::vector<double> beta, eta;
        std::vector<std::vector<double>> b, s;
    };
    struct Tangent {  // of b, and of beta where it is part of the mode
        std::vector<std::vector<double>> b;
        std::vector<double> beta;
    };
    State make_state(const Factors<double> &factors, const std::vector<double> &beta, std::vector<std::vector<double>> s) const;
    void add_fixed(const std::vector<double> &beta, std::vector<double> &eta) const;
    void add_modes(const std::vector<std::vector<double>> &b, std::vector<double> &eta) const;
    void start_from_offset(std::vector<double> &eta) const;
    bool find_mode(State &state, const Factors<double> &factors, double t, const GlmmOptions &options, GlmmPoint &out);
    void finish(const State &state, const Factors<double> &factors, const GlmmOptions &options, GlmmPoint &out);
    bool differentiate(const State &state, const Factors<double> &factors, const Sweep<double> &sweep,
                       const GlmmOptions &options, GlmmPoint &out);
    std::vector<double> average_information(const Factors<double> &factors, const Sweep<double> &sweep, const GlmmPoint &out) const;
    std::vector<Tangent> tangents(const State &state, const Factors<double> &factors, const GlmmOptions &options);
    std::vector<double> row_variances(const Sweep<double> &sweep) const;

    WorkingRows rows_;
    const double *offset_;
    Refill random_, full_;
    FittedVariances variances_;
    std::shared_ptr<const Kernel> kernel_;
    RowDerivatives d_;
    std::vector<double> observed_, W_, v_, known_;  // -d2; the weights of the step; scratch; what the modes do not explain
};

}  // namespace me
