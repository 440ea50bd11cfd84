// The Hessian of the Laplace criterion by differences of its gradient, with modes that are predicted and not searched for.
#include <cmath>

#include "core/factors.hpp"
#include "core/glmm.hpp"
#include "core/parallel.hpp"

namespace me {

// The gradient of the penalized log-density in b and beta is 0 at the mode whatever the parameters are:
//   (Z'WZ + S^-1) db = Z'v   with v = -W x for a coefficient, -W Z dS s for an entry of theta (s is kept), d2l / deta dt for t;
// ds = S^-1 db follows, and b moves by dS s besides.
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
        out.push_back({std::move(moved.s), std::move(moved.beta)});
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

std::vector<double> Glmm::hessian(const std::vector<double> &theta, const std::vector<double> &beta, double t,
                                  const std::vector<std::vector<double>> &s, const std::vector<double> &steps,
                                  const GlmmOptions &options, int n_threads) {
    const std::size_t d = theta.size(), p = options.joint ? 0 : beta.size(), m = steps.size();
    const Factors<double> factors = make_factors(plan(), theta, {});
    auto look = [](Glmm &glmm, State &state, double at_t) {
        glmm.start_from_offset(state.eta);
        glmm.add_fixed(state.beta, state.eta);
        glmm.add_modes(state.b, state.eta);
        return (*glmm.kernel_)(state.eta.data(), at_t, 3, glmm.d_);
    };
    State here = make_state(factors, beta, s);
    if (!std::isfinite(look(*this, here, t))) return {};
    const std::vector<Tangent> along = tangents(here, factors, options);
    if (along.size() != m) return {};
    auto gradient = [&](Glmm &glmm, std::size_t i, double h) -> std::vector<double> {
        std::vector<double> at_theta = theta, at_beta = beta;
        std::vector<std::vector<double>> at_s = s;
        for (std::size_t f = 0; f < at_s.size(); ++f)
            for (std::size_t x = 0; x < at_s[f].size(); ++x) at_s[f][x] += h * along[i].s[f][x];
        if (options.joint)
            for (std::size_t c = 0; c < at_beta.size(); ++c) at_beta[c] += h * along[i].beta[c];
        const double at_t = i < d + p ? t : t + h;
        if (i < d) at_theta[i] += h;
        else if (i < d + p) at_beta[i - d] += h;
        const Factors<double> moved = make_factors(glmm.plan(), at_theta, {});
        State state = glmm.make_state(moved, at_beta, std::move(at_s));
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
