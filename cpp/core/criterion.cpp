#include "core/criterion.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/factors.hpp"
#include "core/inner_products.hpp"
#include "core/moments.hpp"
#include "core/parallel.hpp"
#include "core/row_functionals.hpp"
#include "core/sweep.hpp"

namespace me {
namespace {

// For each entry the column of the transform that it moves.
std::vector<std::vector<double>> make_tangents(const Plan &plan, const Transform &transform) {
    std::vector<std::vector<double>> out;
    for (const Entry &entry : plan.entries) {
        const int k = plan.blocks[entry.block].k;
        out.emplace_back(k, 0.0);
        for (int i = 0; i < k; ++i)
            out.back()[i] = transform.empty() ? static_cast<double>(i == entry.row) : transform[entry.block][i * k + entry.row];
    }
    return out;
}

// G_t = sum_j [H_tj - U_tj (X'V^-1X)^-1 U_tj'] - (m / rss) sum_j s_tj s_tj'; the middle term for REML only. With m = 0,
// for a sigma that is known, 1 takes the place of m / rss.
template <class T>
std::vector<std::vector<T>> make_G(const Sweep<T> &sweep, bool reml, double m) {
    const T weight = m > 0.0 ? T(m) / sweep.root.rss : T(1.0);
    std::vector<std::vector<T>> G = sweep.H;
    for (std::size_t f = 0; f < G.size(); ++f)
        for (std::size_t x = 0; x < G[f].size(); ++x) {
            if (reml) G[f][x] -= sweep.UVU[f][x];
            G[f][x] -= weight * sweep.ss[f][x];
        }
    return G;
}

template <class T>
std::vector<T> make_gradient(const Plan &plan, const Factors<T> &factors, const std::vector<std::vector<T>> &G,
                             const std::vector<std::vector<double>> &tangents) {
    std::vector<T> gradient(plan.entries.size(), T(0.0));
    for (std::size_t e = 0; e < gradient.size(); ++e) {
        const Entry &entry = plan.entries[e];
        const int k = plan.blocks[entry.block].k;
        for (int i = 0; i < k; ++i)
            for (int j = 0; j < k; ++j)
                gradient[e] += 2.0 * tangents[e][i] * G[entry.block][i * k + j] * factors.Lambda[entry.block][j * k + entry.column];
    }
    return gradient;
}

}  // namespace

Criterion::Criterion(std::shared_ptr<const Plan> plan, Response response, bool reml, double log_det_R)
    : plan_(std::move(plan)), response_(std::move(response)), reml_(reml), log_det_R_(log_det_R) {}

Criterion Criterion::with_response(Response response) const { return {plan_, std::move(response), reml_, log_det_R_}; }

Criterion Criterion::with_known_scale() const {
    Criterion out = *this;
    out.reml_ = false;
    out.known_scale_ = true;
    return out;
}

Criterion Criterion::with_products(const CrossProducts &products) const {
    return {make_plan(products, plan_->entries, false), response_of(products), reml_, log_det_R_};
}

std::vector<double> Criterion::moment_start() const { return me::moment_start(*plan_, response_); }

Evaluation Criterion::evaluate(const std::vector<double> &theta, const Transform &transform, Want want,
                               Workspace *workspace) const {
    Evaluation out;
    const Factors<double> factors = make_factors(*plan_, theta, transform);
    Sweep<double> sweep(*plan_, response_, factors, workspace);
    if (!sweep.up()) return out;
    const double m = known_scale_ ? 0.0 : degrees();
    out.rss = sweep.root.rss;
    out.value = sweep.log_det() - plan_->sum_log_weights +
                (known_scale_ ? out.rss : m * (1.0 + std::log(2.0 * std::numbers::pi * out.rss / m)));
    if (reml_) out.value += sweep.root.log_det_X + 2.0 * log_det_R_;
    out.ok = std::isfinite(out.value);
    out.beta = sweep.root.beta;
    out.XVX = sweep.root.XVX;
    if (want == Want::value || !out.ok) return out;
    sweep.down(false);
    out.G = make_G(sweep, reml_, m);
    const auto tangents = make_tangents(*plan_, transform);
    out.gradient = make_gradient(*plan_, factors, out.G, tangents);
    for (double g : out.gradient) out.ok = out.ok && std::isfinite(g);
    if (want == Want::gradient || !out.ok) return out;
    InnerProducts products(*plan_, sweep, factors, tangents);
    out.modes = std::move(sweep.modes);
    out.s = std::move(sweep.s);
    const std::size_t d = out.gradient.size();
    out.curvature.resize(d * d);
    for (std::size_t e = 0; e < d; ++e)
        for (std::size_t f = 0; f < d; ++f) {
            double h = products.B[e * d + f];
            if (!known_scale_) h = m * (h / out.rss - products.q[e] * products.q[f] / (out.rss * out.rss));
            const Entry &x = plan_->entries[e], &y = plan_->entries[f];
            if (x.block == y.block && x.column == y.column) {
                const int k = plan_->blocks[x.block].k;
                for (int i = 0; i < k; ++i)
                    for (int j = 0; j < k; ++j) h += 2.0 * tangents[e][i] * out.G[x.block][i * k + j] * tangents[f][j];
            }
            out.curvature[e * d + f] = h;
        }
    return out;
}

std::vector<double> Criterion::hessian(const std::vector<double> &theta, const Transform &transform) const {
    const std::size_t d = theta.size();
    std::vector<double> out(d * d);
    const auto tangents = make_tangents(*plan_, transform);
    const double m = known_scale_ ? 0.0 : degrees();
    for (std::size_t e = 0; e < d; ++e) {
        std::vector<Dual> along(theta.begin(), theta.end());
        along[e].d = 1.0;
        const Factors<Dual> factors = make_factors(*plan_, along, transform);
        Sweep<Dual> sweep(*plan_, response_, factors);
        if (!sweep.up()) return {};
        sweep.down(false);
        const auto gradient = make_gradient(*plan_, factors, make_G(sweep, reml_, m), tangents);
        for (std::size_t f = 0; f < d; ++f) out[e * d + f] = gradient[f].d;
    }
    for (std::size_t e = 0; e < d; ++e)
        for (std::size_t f = 0; f < e; ++f) out[e * d + f] = out[f * d + e] = 0.5 * (out[e * d + f] + out[f * d + e]);
    return out;
}

std::vector<std::vector<double>> Criterion::conditional_variances(const std::vector<double> &theta,
                                                                  const Transform &transform) const {
    const Factors<double> factors = make_factors(*plan_, theta, transform);
    Sweep<double> sweep(*plan_, response_, factors);
    if (!sweep.up()) return {};
    sweep.down(true);
    return std::move(sweep.variances);
}

bool Criterion::functionals(const std::vector<double> &theta, const FunctionalRows &rows, int n_threads,
                            double *conditional, double *fixed) const {
    const Factors<double> factors = make_factors(*plan_, theta, {});
    Sweep<double> sweep(*plan_, response_, factors);
    if (!sweep.up()) return false;
    sweep.root.differentiate(*plan_, factors);
    const RowFunctionals functionals(*plan_, sweep);
    constexpr std::int64_t step = 4096;
    for_each_task(static_cast<int>((rows.n + step - 1) / step), n_threads, [&](int t) {
        functionals.compute(rows, t * step, std::min(rows.n, (t + 1) * step), conditional, fixed);
    });
    return true;
}

EffectMoments Criterion::effect_moments(const std::vector<double> &theta) const {
    EffectMoments out;
    const std::vector<Dual> at(theta.begin(), theta.end());
    for (const Entry &entry : plan_->entries) {
        Factors<Dual> factors = make_factors(*plan_, at, {});
        auto &S = factors.S[entry.block];
        const int k = plan_->blocks[entry.block].k;
        S[entry.row * k + entry.column].d = S[entry.column * k + entry.row].d = 1.0;
        Sweep<Dual> sweep(*plan_, response_, factors);
        sweep.want_UU = true;
        if (!sweep.up()) return {};
        sweep.down(false);
        const bool first = out.dH.empty();
        auto split = [first](const std::vector<std::vector<Dual>> &from, std::vector<std::vector<double>> &values) {
            std::vector<std::vector<double>> derivatives;
            for (const auto &block : from) {
                derivatives.emplace_back();
                if (first) values.emplace_back();
                for (const Dual &x : block) {
                    derivatives.back().push_back(x.d);
                    if (first) values.back().push_back(x.v);
                }
            }
            return derivatives;
        };
        out.dH.push_back(split(sweep.H, out.H));
        out.dUU.push_back(split(sweep.UU, out.UU));
        if (first)
            for (const Dual &x : sweep.root.XVX) out.XVX.push_back(x.v);
    }
    return out;
}

}  // namespace me
