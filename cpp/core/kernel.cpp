#include "core/kernel.hpp"

#include <cmath>

namespace me {

void RowDerivatives::resize(std::int64_t n, bool dispersion) {
    for (auto *v : {&loglik, &d1, &d2, &d3, &expected, &d_expected}) v->resize(n);
    if (dispersion)
        for (auto *v : {&dt, &dt_d1, &dt_d2, &dt_expected}) v->resize(n);
}

double BinomialLogit::operator()(const double *eta, double, int order, RowDerivatives &out) const {
    double sum = constant_;
    for (std::int64_t i = 0; i < n_; ++i) {
        // e^-|eta| keeps both tails: y log mu + (1 - y) log(1 - mu) = y eta - max(eta, 0) - log(1 + e^-|eta|).
        const double e = std::exp(-std::abs(eta[i])), w = w_ ? w_[i] : 1.0;
        out.loglik[i] = w * (y_[i] * eta[i] - (eta[i] > 0.0 ? eta[i] : 0.0) - std::log1p(e));
        sum += out.loglik[i];
        if (order == 0) continue;
        const double tail = e / (1.0 + e), mu = eta[i] > 0.0 ? 1.0 - tail : tail, variance = tail / (1.0 + e);
        out.d1[i] = w * (y_[i] - mu);
        out.d2[i] = -w * variance;
        out.expected[i] = w * variance;
        out.d_expected[i] = w * variance * (eta[i] > 0.0 ? 2.0 * tail - 1.0 : 1.0 - 2.0 * tail);
        out.d3[i] = -out.d_expected[i];
    }
    return sum;
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
