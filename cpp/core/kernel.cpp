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
    : n_(n), y_(y), w_(w), constant_(constant),
      single_(std::all_of(w, w + n, [](double x) { return x == 1.0; }) && std::all_of(y, y + n, [](double x) { return x == 0.0 || x == 1.0; })) {
    if (single_) return;
    logit_.resize(n);
    saturated_.assign(n, 0.0);
    for (std::int64_t i = 0; i < n; ++i) {
        logit_[i] = std::log(y[i]) - std::log1p(-y[i]);  // infinite at 0 and 1
        if (y[i] > 0.0 && y[i] < 1.0) saturated_[i] = y[i] * std::log(y[i]) + (1.0 - y[i]) * std::log1p(-y[i]);
    }
}

// With e = e^-|eta|: y log mu + (1 - y) log(1 - mu) = y eta - max(eta, 0) - log(1 + e), less the same at mu = y; near it, with
// d = eta - logit y, this is y d - log(1 + y (e^d - 1)).
double BinomialLogit::relative_loglik(std::int64_t i, double eta, double e) const {
    const double d = eta - logit_[i];
    if (std::abs(d) < 0.5) return y_[i] * d - std::log1p(y_[i] * std::expm1(d));
    return y_[i] * eta - (eta > 0.0 ? eta : 0.0) - std::log1p(e) - saturated_[i];
}

// One trial a row, and only the sum is wanted: a few rows at a time, in loops without branches that compilers can vectorize.
double BinomialLogit::single_trials(const double *eta, int order, RowDerivatives &out) const {
    constexpr int most = 256, lanes = 4;
    double e[most], sums[lanes] = {}, products[lanes];  // of the 1 + e^-|eta|: one logarithm for many rows
    double sum = constant_;
    for (std::int64_t first = 0; first < n_; first += most) {
        const int size = static_cast<int>(std::min<std::int64_t>(most, n_ - first));
        const double *x = eta + first, *y = y_ + first;
        for (int i = 0; i < size; ++i) e[i] = std::exp(-std::abs(x[i]));
        std::fill(products, products + lanes, 1.0);
        for (int i = 0; i < size; ++i) {
            sums[i % lanes] += y[i] * x[i] - (x[i] > 0.0 ? x[i] : 0.0);
            products[i % lanes] *= 1.0 + e[i];
        }
        sum -= std::log((products[0] * products[1]) * (products[2] * products[3]));
        if (order == 0) continue;
        double *__restrict d1 = out.d1.data() + first, *__restrict d2 = out.d2.data() + first, *__restrict d3 = out.d3.data() + first;
        double *__restrict expected = out.expected.data() + first, *__restrict slope = out.d_expected.data() + first;
        for (int i = 0; i < size; ++i) {
            const double inverse = 1.0 / (1.0 + e[i]), tail = e[i] * inverse, variance = tail * inverse;
            const double mu = x[i] > 0.0 ? inverse : tail, bent = variance * (1.0 - 2.0 * mu);
            d1[i] = y[i] - mu;
            d2[i] = -variance;
            d3[i] = -bent;
            expected[i] = variance;
            slope[i] = bent;
        }
    }
    return sum + (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

double BinomialLogit::operator()(const double *eta, double, int order, RowDerivatives &out) const {
    if (single_ && !out.by_row) return single_trials(eta, order, out);
    double sum = constant_;
    for (std::int64_t i = 0; i < n_; ++i) {
        const double e = std::exp(-std::abs(eta[i])), w = single_ ? 1.0 : w_[i];
        out.loglik[i] = single_ ? y_[i] * eta[i] - (eta[i] > 0.0 ? eta[i] : 0.0) - std::log1p(e) : w * relative_loglik(i, eta[i], e);
        sum += out.loglik[i];
        if (order == 0) continue;
        const double inverse = 1.0 / (1.0 + e), tail = e * inverse, mu = eta[i] > 0.0 ? inverse : tail, variance = w * tail * inverse;
        out.d1[i] = w * (y_[i] - mu);
        out.d2[i] = -variance;
        out.expected[i] = variance;
        out.d_expected[i] = variance * (1.0 - 2.0 * mu);
        out.d3[i] = -out.d_expected[i];
    }
    return sum;
}

PoissonLog::PoissonLog(std::int64_t n, const double *y, const double *w, double constant)
    : n_(n), y_(y), w_(w), constant_(constant), log_y_(n) {
    for (std::int64_t i = 0; i < n; ++i) log_y_[i] = std::log(y[i]);
}

// y eta - mu less the same at mu = y: with d = eta - log y it is y (d - (e^d - 1)), and y - mu = -y (e^d - 1).
double PoissonLog::operator()(const double *eta, double, int order, RowDerivatives &out) const {
    double sum = constant_;
    for (std::int64_t i = 0; i < n_; ++i) {
        const double w = w_[i], d = eta[i] - log_y_[i];
        double mu, relative, rest;  // rest: y - mu
        if (std::abs(d) < 0.5) {
            const double excess = std::expm1(d);
            relative = y_[i] * (d - excess);
            rest = -y_[i] * excess;
            mu = y_[i] - rest;
        } else {
            mu = std::exp(eta[i]);
            rest = y_[i] - mu;
            relative = y_[i] > 0.0 ? y_[i] * d + rest : rest;
        }
        out.loglik[i] = w * relative;
        sum += out.loglik[i];
        if (order == 0) continue;
        out.d1[i] = w * rest;
        out.d2[i] = out.d3[i] = -w * mu;
        out.expected[i] = out.d_expected[i] = w * mu;
    }
    return sum;
}

}  // namespace me
