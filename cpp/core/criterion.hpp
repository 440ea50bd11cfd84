// The profiled criterion of the linear mixed model as a pure function of theta: value, gradient, curvature, modes.
// Equations: docs/algorithm.md, "Elimination", "Gradient" and "Curvature".
#pragma once

#include <memory>
#include <vector>

#include "core/plan.hpp"

namespace me {

// Per block the K x K matrix (row-major) by which Lambda is premultiplied: Lambda of the working columns is
// transform * Lambda(theta). Empty: theta is that of the working columns themselves.
using Transform = std::vector<std::vector<double>>;

struct FunctionalRows;
struct Workspace;
enum class Want { value, gradient, derivatives };

struct Evaluation {
    bool ok = false;  // false: a factorisation failed, nothing else is meaningful
    double value = 0.0;
    double rss = 0.0;
    std::vector<double> gradient;   // d
    std::vector<double> curvature;  // d x d, average information plus the exact second part
    std::vector<double> beta;       // p, of X R^-1, to be added to b0; also without derivatives
    std::vector<double> XVX;        // p x p, X'V^-1X of X R^-1; also without derivatives
    std::vector<std::vector<double>> modes;  // by block (n_levels, k): conditional modes of the working columns
    std::vector<std::vector<double>> s;      // by block (n_levels, k): Z'Py, from which modes = S s
    std::vector<std::vector<double>> G;      // by block (k, k): derivative with respect to the relative covariance
};

// Sums over levels by block, of the working columns, and their derivatives along the entries of S (of theta's pattern).
struct EffectMoments {
    std::vector<std::vector<double>> H, UU;          // by block: Z'V^-1Z (k, k) and U_a U_b' (k, k, p, p), U = Z'V^-1X
    std::vector<std::vector<std::vector<double>>> dH, dUU;  // by entry, by block
    std::vector<double> XVX;                         // p x p
};

class Criterion {
  public:
    Criterion(std::shared_ptr<const Plan> plan, Response response, bool reml, double log_det_R);

    int n_theta() const { return static_cast<int>(plan_->entries.size()); }
    const Plan &plan() const { return *plan_; }
    bool reml() const { return reml_; }
    double yy() const { return response_.yy; }
    double degrees() const { return reml_ ? static_cast<double>(plan_->n - plan_->p) : static_cast<double>(plan_->n); }

    std::vector<double> moment_start() const;  // theta of the working columns

    Evaluation evaluate(const std::vector<double> &theta, const Transform &transform, Want want,
                        Workspace *workspace = nullptr) const;

    // Exact Hessian (d x d), one directional derivative of the gradient for each entry. Empty when it fails.
    std::vector<double> hessian(const std::vector<double> &theta, const Transform &transform) const;

    // Covariance of the conditional modes given beta, by block (n_levels, k, k), in units of sigma^2.
    std::vector<std::vector<double>> conditional_variances(const std::vector<double> &theta,
                                                           const Transform &transform) const;

    // For each row z'Kz in units of sigma^2 (n) and x - X'WZ K z (n, p), row-major; false when a factorisation fails.
    bool functionals(const std::vector<double> &theta, const FunctionalRows &rows, int n_threads, double *conditional,
                     double *fixed) const;

    // Everything that tests of fixed effects need besides the criterion; empty when a factorisation fails.
    EffectMoments effect_moments(const std::vector<double> &theta) const;

    Criterion with_response(Response response) const;

    // The same with sigma = 1, by maximum likelihood: log|V| + y'Py. For the start of generalized models.
    Criterion with_known_scale() const;

    // The same for other rows over the same levels: the symbolic work is done again, but for the moment estimates.
    Criterion with_products(const CrossProducts &products) const;

  private:
    std::shared_ptr<const Plan> plan_;
    Response response_;
    bool reml_;
    double log_det_R_;
    bool known_scale_ = false;
};

}  // namespace me
