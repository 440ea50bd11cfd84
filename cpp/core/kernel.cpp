#include "core/kernel.hpp"

#include <algorithm>
#include <cmath>

namespace me {

void RowDerivatives::resize(std::int64_t n, bool dispersion) {
    for (auto *v : {&loglik, &d1, &d2, &d3, &expected, &d_expected}) v->resize(n);
    if (dispersion)
        for (auto *v : {&dt, &dt_d1, &dt_d2, &dt_expected}) v->resize(n);
}

BinomialLogit::BinomialLogit(std::int64_t n, const double *y, const double *w, double constant)
    : n_(n), y_(y), w_(w), constant_(constant), single_(!w || std::all_of(w, w + n, [](double x) { return x == 1.0; })) {}

double BinomialLogit::operator()(const double *eta, double, int order, RowDerivatives &out) const {
    double sum = constant_, product = 1.0;  // of the 1 + e^-|eta|: one logarithm for many rows
    for (std::int64_t i = 0; i < n_; ++i) {
        // e^-|eta| keeps both tails: y log mu + (1 - y) log(1 - mu) = y eta - max(eta, 0) - log(1 + e^-|eta|).
        const double e = std::exp(-std::abs(eta[i])), w = single_ ? 1.0 : w_[i], linear = y_[i] * eta[i] - (eta[i] > 0.0 ? eta[i] : 0.0);
        if (out.by_row || !single_) {
            out.loglik[i] = w * (linear - std::log1p(e));
            sum += out.loglik[i];
        } else {
            sum += linear;
            product *= 1.0 + e;
            if ((i & 511) == 511) {
                sum -= std::log(product);
                product = 1.0;
            }
        }
        if (order == 0) continue;
        const double inverse = 1.0 / (1.0 + e), tail = e * inverse, mu = eta[i] > 0.0 ? inverse : tail, variance = w * tail * inverse;
        out.d1[i] = w * (y_[i] - mu);
        out.d2[i] = -variance;
        out.expected[i] = variance;
        out.d_expected[i] = variance * (1.0 - 2.0 * mu);
        out.d3[i] = -out.d_expected[i];
    }
    return sum - std::log(product);
}

double PoissonLog::operator()(const double *eta, double, int order, RowDerivatives &out) const {
    double sum = constant_;
    for (std::int64_t i = 0; i < n_; ++i) {
        const double mu = std::exp(eta[i]), w = w_ ? w_[i] : 1.0;
        out.loglik[i] = w * (y_[i] * eta[i] - mu);
        sum += out.loglik[i];
        if (order == 0) continue;
        out.d1[i] = w * (y_[i] - mu);
        out.d2[i] = out.d3[i] = -w * mu;
        out.expected[i] = out.d_expected[i] = w * mu;
    }
    return sum;
}

}  // namespace me
