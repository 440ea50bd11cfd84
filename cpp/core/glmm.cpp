#include "core/glmm.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/factors.hpp"
#include "core/inner_products.hpp"
#include "core/newton.hpp"
#include "core/row_functionals.hpp"
#include "core/sweep.hpp"

namespace me {
namespace {

double dot(const std::vector<std::vector<double>> &a, const std::vector<std::vector<double>> &b) {
    double sum = 0.0;
    for (std::size_t f = 0; f < a.size(); ++f)
        for (std::size_t i = 0; i < a[f].size(); ++i) sum += a[f][i] * b[f][i];
    return sum;
}

// a + step (b - a), in place.
void move(std::vector<double> &a, const std::vector<double> &b, double step) {
    for (std::size_t i = 0; i < a.size(); ++i) a[i] += step * (b[i] - a[i]);
}

// b = S s, level by level.
std::vector<double> apply(const std::vector<double> &S, const std::vector<double> &s, int k) {
    std::vector<double> b(s.size(), 0.0);
    for (std::size_t at = 0; at < s.size(); at += k)
        for (int i = 0; i < k; ++i)
            for (int j = 0; j < k; ++j) b[at + i] += S[i * k + j] * s[at + j];
    return b;
}

// Adds z'b of one block to every row.
template <int KK>
void add_effects(const WorkingRows &rows, std::size_t f, int k, const double *b, double *eta) {
    const int K = KK ? KK : k;
    const double *z = rows.Z[f];
    const std::int32_t *codes = rows.codes[f];
    for (std::int64_t r = 0; r < rows.n; ++r) {
        const double *own = b + static_cast<std::size_t>(codes[r]) * K;
        for (int a = 0; a < K; ++a) eta[r] += z[r * K + a] * own[a];
    }
}

// What the next step of Newton's method will gain after whole steps that gained `last` and `gain`: each gain is about C times
// the square of the one before, and C is taken to be 1 where it is not seen yet, and
// no less than 1e-4 (it is 1e-4 to 1e-3 in most models). The
// log-determinant, and with it the criterion, is off by about the root of it. Far from the mode nothing is known.
double next_gain(double gain, double last) {
    if (gain > 10.0) return std::numeric_limits<double>::infinity();
    const double C = std::isfinite(last) && last > 0.0 ? std::max(1e-4, gain / (last * last)) : 1.0;
    return C * gain * gain;
}

}  // namespace

Glmm::Glmm(const CrossProducts &pattern, WorkingRows rows, const double *offset, std::vector<Entry> entries,
           std::shared_ptr<const Kernel> kernel)
    : rows_(std::move(rows)), offset_(offset), random_(pattern, rows_, entries, false), full_(pattern, rows_, entries, true),
      variances_(random_.plan(), rows_), kernel_(std::move(kernel)) {
    d_.resize(rows_.n, kernel_->has_dispersion());
    d_.by_row = false;
    for (auto *v : {&observed_, &W_, &v_, &known_}) v->resize(rows_.n);
}

void Glmm::start_from_offset(std::vector<double> &eta) const {
    if (offset_)
        eta.assign(offset_, offset_ + rows_.n);
    else
        eta.assign(rows_.n, 0.0);
}

void Glmm::add_fixed(const std::vector<double> &beta, std::vector<double> &eta) const {
    for (std::int64_t r = 0; r < rows_.n; ++r) {
        double sum = 0.0;
        for (int c = 0; c < rows_.p; ++c) sum += rows_.X[r * rows_.p + c] * beta[c];
        eta[r] += sum;
    }
}

void Glmm::add_modes(const std::vector<std::vector<double>> &b, std::vector<double> &eta) const {
    for (std::size_t f = 0; f < b.size(); ++f) {
        const int k = random_.plan().blocks[f].k;
        if (k == 1) add_effects<1>(rows_, f, k, b[f].data(), eta.data());
        else if (k == 2) add_effects<2>(rows_, f, k, b[f].data(), eta.data());
        else add_effects<0>(rows_, f, k, b[f].data(), eta.data());
    }
}

// Newton's method for the mode of -2 sum log p + u'u, with halved steps where a whole one does not descend. A row whose
// observed information is negative lends its expected one, except close to the mode: there only the observed one makes the
// steps converge fast, and all that is asked of it is a factor.
bool Glmm::find_mode(State &state, const Factors<double> &factors, double t, const GlmmOptions &options, GlmmPoint &out) {
    Refill &refill = options.joint ? full_ : random_;
    start_from_offset(known_);
    if (!options.joint) add_fixed(state.beta, known_);
    auto predict = [&](State &x) {
        x.eta = known_;
        if (options.joint) add_fixed(x.beta, x.eta);
        add_modes(x.b, x.eta);
    };
    predict(state);
    double loglik = (*kernel_)(state.eta.data(), t, 3, d_), penalty = dot(state.s, state.b);
    if (!std::isfinite(loglik)) return false;
    State whole, before;
    bool close = false;
    double last = std::numeric_limits<double>::infinity();
    for (out.n_steps = 1; out.n_steps <= options.max_steps; ++out.n_steps) {
        bool lent = false;
        for (std::int64_t r = 0; r < rows_.n; ++r) {
            const bool lend = !close && d_.d2[r] >= 0.0;
            lent = lent || lend;
            W_[r] = lend ? d_.expected[r] : -d_.d2[r];
            v_[r] = W_[r] * (state.eta[r] - known_[r]) + d_.d1[r];
        }
        refill(rows_, W_.data());
        const Response response = refill.response(rows_, v_.data());
        Sweep<double> sweep(refill.plan(), response, factors);
        if (!sweep.up()) {
            if (!close) return false;
            close = false;
            continue;
        }
        sweep.solve();
        whole.b = std::move(sweep.modes);
        whole.s = std::move(sweep.s);
        whole.beta = options.joint ? sweep.root.beta : state.beta;
        if (options.joint) out.XVX = sweep.root.XVX;
        predict(whole);
        double gain = 0.0, summands = 0.0;  // twice what the whole step promises, by the slope of the objective along it
        for (std::int64_t r = 0; r < rows_.n; ++r) {
            const double part = d_.d1[r] * (whole.eta[r] - state.eta[r]);
            gain += part;
            summands += std::abs(part);
        }
        gain -= dot(state.s, whole.b) - dot(state.s, state.b);
        if (!std::isfinite(gain) || gain < -1e-8 - 1e-10 * summands) {
            if (!close) return false;
            close = false;
            continue;
        }
        const double objective = penalty - 2.0 * loglik, noise = 1e-13 * (1.0 + std::abs(objective));
        std::swap(before, state);
        state = whole;
        bool whole_step = true;
        for (double step = 1.0;; step *= 0.5) {
            loglik = (*kernel_)(state.eta.data(), t, 3, d_);
            penalty = dot(state.s, state.b);
            const double next = penalty - 2.0 * loglik;
            if ((std::isfinite(next) && next <= objective + noise) || step < 1e-10) break;
            whole_step = false;
            for (std::size_t f = 0; f < state.b.size(); ++f) {
                move(state.b[f], before.b[f], 0.5);
                move(state.s[f], before.s[f], 0.5);
            }
            move(state.beta, before.beta, 0.5);
            move(state.eta, before.eta, 0.5);
        }
        if (!std::isfinite(loglik)) return false;
        close = gain < 1e-2;
        const bool last_step = whole_step && !lent && std::sqrt(next_gain(gain, last)) < options.tolerance;
        last = gain;
        if (last_step || (gain < options.tolerance && (!lent || gain < 1e-4 * options.tolerance))) {
            out.loglik = loglik;
            out.penalty = penalty;
            return true;
        }
    }
    return false;
}

// z'Kz of the rows of the model. Below a dense block the products K_j C_j K_root are made once for each level, and then
// a row costs no more than its own columns.
std::vector<double> Glmm::row_variances(const Sweep<double> &sweep) const {
    const Plan &plan = random_.plan();
    std::vector<double> out(rows_.n);
    if (plan.stages.size() == 1) {
        variances_.compute(plan, sweep, rows_, out.data());
        return out;
    }
    FunctionalRows rows;
    rows.n = rows_.n;
    rows.codes = rows_.codes;
    rows.Z = rows_.Z;
    RowFunctionals(plan, sweep).compute(rows, 0, rows_.n, out.data(), nullptr);
    return out;
}

// Average information in theta of the linear model with the weights W, sigma = 1 and the response that has this mode.
std::vector<double> Glmm::average_information(const Factors<double> &factors, const Sweep<double> &sweep, const GlmmPoint &out) const {
    const Plan &plan = random_.plan();
    const std::size_t d = plan.entries.size();
    std::vector<std::vector<double>> tangents;
    for (const Entry &entry : plan.entries) {
        tangents.emplace_back(plan.blocks[entry.block].k, 0.0);
        tangents.back()[entry.row] = 1.0;
    }
    std::vector<double> curvature = InnerProducts(plan, sweep, factors, tangents).B;
    for (std::size_t e = 0; e < d; ++e)
        for (std::size_t f = 0; f < d; ++f) {
            const Entry &x = plan.entries[e], &y = plan.entries[f];
            if (x.block == y.block && x.column == y.column) curvature[e * d + f] += 2.0 * out.G[x.block][x.row * plan.blocks[x.block].k + y.row];
        }
    return curvature;
}

// The mode moves with the parameters. With a_i = (dW_i / d eta_i) z_i'Kz_i, the derivative of the log-determinant in
// eta_i, q = K Z'a and r = Z'(a - WZq), the gradient is that of G_t = sum_j [H_j - s_j s_j' + (r_j s_j' + s_j r_j') / 2]
// in theta, and X'(a - 2 d1 - WZq) in beta.
bool Glmm::differentiate(const State &state, const Factors<double> &factors, const Sweep<double> &sweep,
                         const GlmmOptions &options, GlmmPoint &out) {
    const std::vector<double> variances = row_variances(sweep);
    std::vector<double> a(rows_.n);
    for (std::int64_t r = 0; r < rows_.n; ++r) a[r] = variances[r] * (options.expected ? d_.d_expected[r] : -d_.d3[r]);
    const Plan &plan = random_.plan();
    Effects adjoint;
    if (options.joint || options.expected) {  // what the mode depends on is the observed information
        Refill &refill = options.joint ? full_ : random_;
        refill(rows_, observed_.data());
        const Response towards = refill.response(rows_, a.data());
        Sweep<double> other(refill.plan(), towards, factors);
        if (!other.up()) return false;
        other.solve();
        adjoint = {std::move(other.modes), std::move(other.s), std::move(other.root.beta)};
    } else {
        adjoint = sweep.respond(random_.response(rows_, a.data()));
    }
    std::vector<std::vector<double>> G = sweep.H;
    for (std::size_t f = 0; f < G.size(); ++f) {
        const int k = plan.blocks[f].k;
        const auto &s = state.s[f], &r = adjoint.s[f];
        for (std::size_t at = 0; at < s.size(); at += k)
            for (int i = 0; i < k; ++i)
                for (int j = 0; j < k; ++j)
                    G[f][i * k + j] += 0.5 * (r[at + i] * s[at + j] + s[at + i] * r[at + j]) - s[at + i] * s[at + j];
    }
    out.theta_gradient.assign(plan.entries.size(), 0.0);
    for (std::size_t e = 0; e < plan.entries.size(); ++e) {
        const Entry &entry = plan.entries[e];
        const int k = plan.blocks[entry.block].k;
        for (int j = 0; j < k; ++j)
            out.theta_gradient[e] += 2.0 * G[entry.block][entry.row * k + j] * factors.Lambda[entry.block][j * k + entry.column];
    }
    out.G = std::move(G);
    out.beta_gradient.assign(options.joint ? 0 : rows_.p, 0.0);
    const bool dispersion = kernel_->has_dispersion();
    if (options.joint && !dispersion) return true;
    std::vector<double> moved(rows_.n, 0.0);
    if (options.joint) add_fixed(adjoint.beta, moved);
    add_modes(adjoint.modes, moved);
    if (!options.joint) {
        for (std::int64_t r = 0; r < rows_.n; ++r) a[r] -= 2.0 * d_.d1[r] + observed_[r] * moved[r];
        fixed_product(rows_, a.data(), out.beta_gradient.data());
    }
    for (std::int64_t r = 0; dispersion && r < rows_.n; ++r)
        out.t_gradient += moved[r] * d_.dt_d1[r] - 2.0 * d_.dt[r] + variances[r] * (options.expected ? d_.dt_expected[r] : -d_.dt_d2[r]);
    return true;
}

// Value and derivatives at a mode, where the derivatives of the rows have been computed.
void Glmm::finish(const State &state, const Factors<double> &factors, const GlmmOptions &options, GlmmPoint &out) {
    for (std::int64_t r = 0; r < rows_.n; ++r) observed_[r] = -d_.d2[r];
    const auto &W = options.expected ? d_.expected : observed_;
    random_(rows_, W.data());
    if (options.curvature) {
        std::fill(v_.begin(), v_.end(), 0.0);
        add_modes(state.b, v_);
        for (std::int64_t r = 0; r < rows_.n; ++r) v_[r] = W[r] * v_[r] + d_.d1[r];
    }
    const Response response = options.curvature ? random_.response(rows_, v_.data()) : random_.nothing();
    Sweep<double> sweep(random_.plan(), response, factors);
    if (!sweep.up()) return;
    out.log_det = sweep.log_det();
    out.value = out.penalty - 2.0 * out.loglik + out.log_det;
    out.ok = std::isfinite(out.value);
    if (!out.ok || !options.gradient) return;
    sweep.down(false);
    out.ok = differentiate(state, factors, sweep, options, out);
    if (out.ok && options.curvature) out.curvature = average_information(factors, sweep, out);
}

Glmm::State Glmm::make_state(const Factors<double> &factors, const std::vector<double> &beta, std::vector<std::vector<double>> s) const {
    State state;
    state.beta = beta;
    state.s = std::move(s);
    for (std::size_t f = 0; f < state.s.size(); ++f) state.b.push_back(apply(factors.S[f], state.s[f], plan().blocks[f].k));
    return state;
}

GlmmPoint Glmm::evaluate(const std::vector<double> &theta, const std::vector<double> &beta, double t,
                         const std::vector<std::vector<double>> &start, const GlmmOptions &options) {
    GlmmPoint out;
    const Factors<double> factors = make_factors(plan(), theta, {});
    std::vector<std::vector<double>> s = start;
    if (s.empty())
        for (const Block &block : plan().blocks) s.emplace_back(static_cast<std::size_t>(block.n_levels) * block.k, 0.0);
    State state = make_state(factors, beta, std::move(s));
    if (!find_mode(state, factors, t, options, out)) return out;
    finish(state, factors, options, out);
    out.beta = std::move(state.beta);
    out.modes = std::move(state.b);
    out.s = std::move(state.s);
    out.eta = std::move(state.eta);
    return out;
}

LinearStart Glmm::linear_start(const std::vector<double> &theta, const std::vector<double> &beta, double t,
                               const std::vector<std::vector<double>> &start, double tolerance) {
    GlmmOptions options;
    options.joint = true;
    options.tolerance = tolerance;
    GlmmPoint point;
    const Factors<double> factors = make_factors(plan(), theta, {});
    State state = make_state(factors, beta, start);
    if (!find_mode(state, factors, t, options, point)) return {};
    start_from_offset(known_);
    double yy = 0.0;
    for (std::int64_t r = 0; r < rows_.n; ++r) {
        W_[r] = d_.d2[r] < 0.0 ? -d_.d2[r] : d_.expected[r];
        const double y = state.eta[r] - known_[r] + (W_[r] > 0.0 ? d_.d1[r] / W_[r] : 0.0);
        v_[r] = W_[r] * y;
        yy += v_[r] * y;
    }
    full_(rows_, W_.data());
    Response response = full_.response(rows_, v_.data());
    response.yy = yy;
    const Criterion linear = Criterion(full_.shared_plan(), std::move(response), false, 0.0).with_known_scale();
    NewtonOptions rough;
    rough.tolerance = tolerance;
    rough.max_evaluations = 20;
    rough.exact_hessian = false;
    NewtonResult found = minimize(linear, theta, rough);
    Evaluation &at = found.evaluation;
    return {at.ok, std::move(found.theta), std::move(at.beta), std::move(at.s), std::move(at.curvature), std::move(at.XVX)};
}

}  // namespace me
