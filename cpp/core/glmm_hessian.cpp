// The Hessian of the Laplace criterion by differences of its gradient, with modes that are predicted and not searched for.
#include <algorithm>
#include <cmath>

#include "core/factors.hpp"
#include "core/glmm.hpp"
#include "core/parallel.hpp"

namespace me {

// The gradient of the penalized log-density in b and beta is 0 at the mode whatever the parameters are:
//   (Z'WZ + S^-1) db = Z'v   with v = -W x for a coefficient, -W Z dS s for an entry of theta (s is kept), d2l / deta dt for t;
// b moves by dS s besides.
std::vector<Glmm::Tangent> Glmm::tangents(const State &state, const Factors<double> &factors, const GlmmOptions &options) {
    Refill &refill = options.joint ? full_ : random_;
    for (std::int64_t r = 0; r < rows_.n; ++r) observed_[r] = -d_.d2[r];
    refill(rows_, observed_.data());
    const Response nothing = refill.nothing();
    Sweep<double> sweep(refill.plan(), nothing, factors);
    if (!sweep.up()) return {};
    sweep.root.differentiate(refill.plan(), factors);
    std::vector<Tangent> out;
    auto add = [&] {
        Effects moved = sweep.respond(refill.response(rows_, v_.data()));
        out.push_back({std::move(moved.modes), std::move(moved.beta)});
    };
    for (const Entry &entry : plan().entries) {
        std::vector<std::vector<double>> db(state.s.size());
        for (std::size_t f = 0; f < db.size(); ++f) db[f].assign(state.s[f].size(), 0.0);
        const int k = plan().blocks[entry.block].k;
        const auto &Lambda = factors.Lambda[entry.block];
        const auto &s = state.s[entry.block];
        for (std::size_t at = 0; at < s.size(); at += k) {
            double along = 0.0;
            for (int a = 0; a < k; ++a) along += Lambda[a * k + entry.column] * s[at + a];
            db[entry.block][at + entry.row] += along;
            for (int a = 0; a < k; ++a) db[entry.block][at + a] += Lambda[a * k + entry.column] * s[at + entry.row];
        }
        std::fill(v_.begin(), v_.end(), 0.0);
        add_modes(db, v_);
        for (std::int64_t r = 0; r < rows_.n; ++r) v_[r] *= -observed_[r];
        add();
        for (std::size_t f = 0; f < db.size(); ++f)
            for (std::size_t x = 0; x < db[f].size(); ++x) out.back().b[f][x] += db[f][x];
    }
    for (int c = 0; c < (options.joint ? 0 : rows_.p); ++c) {
        for (std::int64_t r = 0; r < rows_.n; ++r) v_[r] = -observed_[r] * rows_.X[r * rows_.p + c];
        add();
    }
    if (kernel_->has_dispersion()) {
        v_ = d_.dt_d1;
        add();
    }
    return out;
}

std::vector<double> Glmm::hessian(std::vector<double> theta, std::vector<double> beta, double t, std::vector<std::vector<double>> s,
                                  const std::vector<double> &steps, const std::vector<double> &shift, const GlmmOptions &options,
                                  int n_threads) {
    const std::size_t d = theta.size(), p = options.joint ? 0 : beta.size(), m = steps.size();
    // The rows at a state of which b and beta are known, and s = Z'd1.
    auto look = [](Glmm &glmm, State &state, double at_t) {
        glmm.start_from_offset(state.eta);
        glmm.add_fixed(state.beta, state.eta);
        glmm.add_modes(state.b, state.eta);
        const double loglik = (*glmm.kernel_)(state.eta.data(), at_t, 3, glmm.d_);
        state.s = glmm.random_.response(glmm.rows_, glmm.d_.d1.data()).Zy;
        return loglik;
    };
    std::vector<std::vector<double>> b = make_state(make_factors(plan(), theta, {}), beta, std::move(s)).b;
    auto along_here = [&]() -> std::vector<Tangent> {
        const Factors<double> factors = make_factors(plan(), theta, {});
        State here;
        here.beta = beta;
        here.b = b;
        if (!std::isfinite(look(*this, here, t))) return {};
        return tangents(here, factors, options);
    };
    // b, and beta where it is part of the mode, after a step h of parameter i.
    auto follow = [&](const Tangent &along, double h, std::vector<std::vector<double>> &at_b, std::vector<double> &at_beta) {
        for (std::size_t f = 0; f < at_b.size(); ++f)
            for (std::size_t x = 0; x < at_b[f].size(); ++x) at_b[f][x] += h * along.b[f][x];
        if (options.joint)
            for (std::size_t c = 0; c < at_beta.size(); ++c) at_beta[c] += h * along.beta[c];
    };
    auto move = [&](std::size_t i, double h, std::vector<double> &at_theta, std::vector<double> &at_beta, double &at_t) {
        (i < d ? at_theta[i] : i < d + p ? at_beta[i - d] : at_t) += h;
    };
    std::vector<Tangent> along = along_here();
    if (along.size() != m) return {};
    if (std::any_of(shift.begin(), shift.end(), [](double x) { return x != 0.0; })) {
        for (std::size_t i = 0; i < m; ++i) {
            follow(along[i], shift[i], b, beta);
            move(i, shift[i], theta, beta, t);
        }
        along = along_here();
        if (along.size() != m) return {};
    }
    auto gradient = [&](Glmm &glmm, std::size_t i, double h) -> std::vector<double> {
        std::vector<double> at_theta = theta, at_beta = beta;
        double at_t = t;
        State state;
        state.b = b;
        follow(along[i], h, state.b, at_beta);
        move(i, h, at_theta, at_beta, at_t);
        const Factors<double> moved = make_factors(glmm.plan(), at_theta, {});
        state.beta = std::move(at_beta);
        GlmmPoint point;
        point.loglik = look(glmm, state, at_t);
        if (!std::isfinite(point.loglik)) return {};
        glmm.finish(state, moved, options, point);
        if (!point.ok) return {};
        std::vector<double> out = std::move(point.theta_gradient);
        out.insert(out.end(), point.beta_gradient.begin(), point.beta_gradient.end());
        if (glmm.kernel_->has_dispersion()) out.push_back(point.t_gradient);
        return out;
    };
    std::vector<std::vector<double>> rows(m);
    const int parts = static_cast<int>(std::min<std::size_t>(m, std::max(1, n_threads)));
    std::vector<Glmm> copies(parts - 1, *this);
    for_each_task(parts, parts, [&](int part) {
        Glmm &own = part == 0 ? *this : copies[part - 1];
        for (std::size_t i = part; i < m; i += parts) {
            std::vector<double> after = gradient(own, i, steps[i]), before = gradient(own, i, -steps[i]);
            if (after.empty() || before.empty()) continue;
            for (std::size_t c = 0; c < m; ++c) after[c] = (after[c] - before[c]) / (2.0 * steps[i]);
            rows[i] = std::move(after);
        }
    });
    std::vector<double> out(m * m);
    for (std::size_t i = 0; i < m; ++i) {
        if (rows[i].empty()) return {};
        for (std::size_t c = 0; c < m; ++c) {
            out[i * m + c] += 0.5 * rows[i][c];
            out[c * m + i] += 0.5 * rows[i][c];
        }
    }
    return out;
}

}  // namespace me
