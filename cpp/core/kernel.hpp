// The response distribution of a generalized model, row by row: log-density and its derivatives in the linear predictor.
#pragma once

#include <cstdint>
#include <vector>

namespace me {

struct RowDerivatives {
    bool by_row = true;                      // whether the log-densities of the rows are wanted, or their sum alone
    std::vector<double> loglik;              // of each row, without what does not depend on eta or t
    std::vector<double> d1, d2, d3;          // of the log-density in eta
    std::vector<double> expected;            // minus the expectation of d2: a weight that is never negative
    std::vector<double> d_expected;          // its derivative in eta
    std::vector<double> dt, dt_d1, dt_d2;    // derivatives of the log-density, d1 and d2 in t = log dispersion, if it has one
    std::vector<double> dt_expected;         // and of the expected weight
    void resize(std::int64_t n, bool dispersion);
};

class Kernel {
  public:
    virtual ~Kernel() = default;
    virtual bool has_dispersion() const = 0;
    // The sum of the log-densities at eta with all constants, the log-densities by row, and the derivatives up to the order:
    // 0 none, 2 d1, d2, expected, 3 all. A mean that cannot be makes its row minus infinite, and leaves the others alone.
    virtual double operator()(const double *eta, double t, int order, RowDerivatives &out) const = 0;
};

// Binomial proportions y of w trials with the logit link. Row by row the log-density is taken relative to that at the
// mean y, which keeps its digits where there are many trials; `constant` is the sum of those.
class BinomialLogit : public Kernel {
  public:
    BinomialLogit(std::int64_t n, const double *y, const double *w, double constant);
    bool has_dispersion() const override { return false; }
    double operator()(const double *eta, double t, int order, RowDerivatives &out) const override;

  private:
    double relative_loglik(std::int64_t i, double eta, double e) const;
    double single_trials(const double *eta, int order, RowDerivatives &out) const;

    std::int64_t n_;
    const double *y_, *w_;
    double constant_;
    bool single_;                           // every row is one trial
    std::vector<double> logit_, saturated_;  // of y, if there are rows of several trials
};

// Poisson counts y with weights w and the log link, in the same way.
class PoissonLog : public Kernel {
  public:
    PoissonLog(std::int64_t n, const double *y, const double *w, double constant);
    bool has_dispersion() const override { return false; }
    double operator()(const double *eta, double t, int order, RowDerivatives &out) const override;

  private:
    std::int64_t n_;
    const double *y_, *w_;
    double constant_;
    std::vector<double> log_y_;
};

}  // namespace me
