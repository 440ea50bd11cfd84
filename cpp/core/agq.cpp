#include "core/agq.hpp"

#include <algorithm>
#include <cmath>

#include "core/factors.hpp"
#include "core/small.hpp"

namespace me {
namespace {

// Products of small row-major K x K matrices, and of one with a vector.
void multiply(int K, const double *a, const double *b, double *out) {
    for (int i = 0; i < K; ++i)
        for (int j = 0; j < K; ++j) {
            out[i * K + j] = 0.0;
            for (int c = 0; c < K; ++c) out[i * K + j] += a[i * K + c] * b[c * K + j];
        }
}

void apply(int K, const double *a, const double *x, double *out) {
    for (int i = 0; i < K; ++i) {
        out[i] = 0.0;
        for (int c = 0; c < K; ++c) out[i] += a[i * K + c] * x[c];
    }
}

std::vector<double> transposed(int K, const double *a) {
    std::vector<double> out(static_cast<std::size_t>(K) * K);
    for (int i = 0; i < K; ++i)
        for (int j = 0; j < K; ++j) out[j * K + i] = a[i * K + j];
    return out;
}

// The lower factor A of the inverse of M = U U', A = U'^-1, with U upper triangular. M is never inverted, and Lambda A is
// the Cholesky factor of Lambda M^-1 Lambda', which depends on Lambda through S alone.
bool inverse_factor(int K, const double *M, double *A) {
    std::vector<double> lower(static_cast<std::size_t>(K) * K, 0.0);  // U'
    for (int j = K - 1; j >= 0; --j) {
        double pivot = M[j * K + j];
        for (int l = j + 1; l < K; ++l) pivot -= lower[l * K + j] * lower[l * K + j];
        if (!(pivot > 0.0)) return false;
        lower[j * K + j] = std::sqrt(pivot);
        for (int i = 0; i < j; ++i) {
            double sum = M[i * K + j];
            for (int l = j + 1; l < K; ++l) sum -= lower[l * K + i] * lower[l * K + j];
            lower[j * K + i] = sum / lower[j * K + j];
        }
    }
    for (int i = 0; i < K * K; ++i) A[i] = i % (K + 1) == 0 ? 1.0 : 0.0;
    small::forward_solve(K, lower.data(), K, A);
    return true;
}

// Sums over the nodes and what follows from them. Arrays by level hold k or k x k numbers for each; a bar over a
// quantity in the comments is its mean over the nodes of the level, under the weights of the rule times the integrand.
class Nodes {
  public:
    Nodes(const Glmm &glmm, const GlmmPoint &mode, const std::vector<double> &theta, double t)
        : rows_(glmm.rows()), kernel_(glmm.kernel()), plan_(glmm.plan()), mode_(mode),
          factors_(make_factors(plan_, theta, {})), t_(t), k_(plan_.blocks[0].k), J_(plan_.blocks[0].n_levels), codes_(rows_.codes[0]), Z_(rows_.Z[0]) {
        at_mode_.resize(rows_.n, kernel_.has_dispersion());
        at_node_.resize(rows_.n, kernel_.has_dispersion());
        const std::size_t kk = static_cast<std::size_t>(k_) * k_;
        for (auto *v : {&ZWZ_, &A_, &C_, &zz_, &sz_, &ss_}) v->assign(kk * J_, 0.0);
        for (auto *v : {&u_, &z_, &s_, &shift_, &slope_}) v->assign(static_cast<std::size_t>(k_) * J_, 0.0);
        for (auto *v : {&weight_, &dt_, &change_, &change_dt_, &now_}) v->assign(J_, 0.0);
        for (auto *v : {&d1_, &W_, &eta_}) v->assign(rows_.n, 0.0);
        step_.resize(k_);
    }
    bool place();
    bool add(const double *z, double log_weight);
    bool finish(GlmmPoint &out);
    void differentiate(GlmmPoint &out);

  private:
    const double *row(std::int64_t r) const { return Z_ + r * k_; }
    double *at(std::vector<double> &v, int j) const { return &v[static_cast<std::size_t>(j) * k_]; }
    double *square(std::vector<double> &v, int j) const { return &v[static_cast<std::size_t>(j) * k_ * k_]; }
    void weigh(int j, const double *z, double log_weight);
    struct Adjoint {                          // derivatives of the value, on the way from the nodes to the parameters
        std::vector<double> Lambda;           // k x k
        std::vector<double> u, Za, K;         // by level: in the centre, Z'a, what multiplies dW
        std::vector<double> a, zKz;           // by row
    };
    void through_scale(int j, Adjoint &bar);
    void through_rows(Adjoint &bar, std::vector<double> &G);
    void through_mode(int j, Adjoint &bar);

    const WorkingRows &rows_;
    const Kernel &kernel_;
    const Plan &plan_;
    const GlmmPoint &mode_;
    const Factors<double> factors_;
    const double t_;
    const int k_, J_;
    const std::int32_t *codes_;
    const double *Z_;
    RowDerivatives at_mode_, at_node_;
    std::vector<double> ZWZ_, A_, C_, u_;              // by level: Z'WZ, A, C = Lambda A, the mode
    std::vector<double> weight_, z_, zz_, s_, sz_;     // by level: the sum of the weights; z, zz', s = Z'd1, sz' at the nodes
    std::vector<double> ss_, dt_;                      // by level: ss', derivative of the log-density in t
    std::vector<double> d1_, W_;                       // by row
    std::vector<double> shift_, slope_, change_, change_dt_, now_, eta_;  // at one node: C z, s, log-density, weight
    std::vector<double> step_;                         // of one level at one node: A z
};

// Centre and scale of the nodes of every level.
bool Nodes::place() {
    if (!std::isfinite(kernel_(mode_.eta.data(), t_, 3, at_mode_))) return false;
    for (std::int64_t r = 0; r < rows_.n; ++r) {
        const double *z = row(r);
        double *to = square(ZWZ_, codes_[r]);
        for (int a = 0; a < k_; ++a)
            for (int b = 0; b < k_; ++b) to[a * k_ + b] -= at_mode_.d2[r] * z[a] * z[b];
    }
    const double *Lambda = factors_.Lambda[0].data();
    const std::vector<double> across = transposed(k_, Lambda);
    std::vector<double> half(across.size()), M(across.size());
    for (int j = 0; j < J_; ++j) {
        multiply(k_, square(ZWZ_, j), Lambda, half.data());
        multiply(k_, across.data(), half.data(), M.data());
        for (int a = 0; a < k_; ++a) M[a * k_ + a] += 1.0;
        if (!inverse_factor(k_, M.data(), square(A_, j))) return false;
        multiply(k_, Lambda, square(A_, j), square(C_, j));
        apply(k_, across.data(), &mode_.s[0][static_cast<std::size_t>(j) * k_], at(u_, j));
    }
    return true;
}

// One node in all levels. Everything is taken relative to the integrand at the mode, which is its largest value, so that
// nothing overflows; an impossible mean at a node has density 0.
bool Nodes::add(const double *z, double log_weight) {
    const bool dispersion = kernel_.has_dispersion();
    for (int j = 0; j < J_; ++j) apply(k_, square(C_, j), z, at(shift_, j));
    for (std::int64_t r = 0; r < rows_.n; ++r) {
        eta_[r] = mode_.eta[r];
        for (int a = 0; a < k_; ++a) eta_[r] += row(r)[a] * shift_[static_cast<std::size_t>(codes_[r]) * k_ + a];
    }
    kernel_(eta_.data(), t_, dispersion ? 3 : 2, at_node_);
    for (auto *v : {&slope_, &change_, &change_dt_}) std::fill(v->begin(), v->end(), 0.0);
    for (std::int64_t r = 0; r < rows_.n; ++r) {
        const int j = codes_[r];
        change_[j] += at_node_.loglik[r] - at_mode_.loglik[r];
        for (int a = 0; a < k_; ++a) at(slope_, j)[a] += row(r)[a] * at_node_.d1[r];
        if (dispersion) change_dt_[j] += at_node_.dt[r];
    }
    for (int j = 0; j < J_; ++j) {
        if (std::isnan(change_[j])) return false;
        weigh(j, z, log_weight);
    }
    for (std::int64_t r = 0; r < rows_.n; ++r) {
        const double w = now_[codes_[r]];
        if (w == 0.0) continue;  // there the derivatives need not exist
        d1_[r] += w * at_node_.d1[r];
        W_[r] -= w * at_node_.d2[r];
    }
    return true;
}

// The weight of a node in one level, and the level's sums.
void Nodes::weigh(int j, const double *z, double log_weight) {
    apply(k_, square(A_, j), z, step_.data());
    double change = change_[j] + log_weight;
    for (int a = 0; a < k_; ++a) change += 0.5 * z[a] * z[a] - step_[a] * (at(u_, j)[a] + 0.5 * step_[a]);
    const double w = now_[j] = std::exp(change);
    if (w == 0.0) return;
    weight_[j] += w;
    dt_[j] += w * change_dt_[j];
    const double *s = at(slope_, j);
    for (int a = 0; a < k_; ++a) {
        at(z_, j)[a] += w * z[a];
        at(s_, j)[a] += w * s[a];
        for (int b = 0; b < k_; ++b) {
            square(zz_, j)[a * k_ + b] += w * z[a] * z[b];
            square(sz_, j)[a * k_ + b] += w * s[a] * z[b];
            square(ss_, j)[a * k_ + b] += w * s[a] * s[b];
        }
    }
}

// The value, and means from the sums.
bool Nodes::finish(GlmmPoint &out) {
    for (int j = 0; j < J_; ++j) {
        if (!std::isfinite(weight_[j]) || !(weight_[j] > 0.0)) return false;
        out.value -= 2.0 * std::log(weight_[j]);
        for (auto *v : {&z_, &s_})
            for (int a = 0; a < k_; ++a) at(*v, j)[a] /= weight_[j];
        for (auto *v : {&zz_, &sz_, &ss_})
            for (int a = 0; a < k_ * k_; ++a) square(*v, j)[a] /= weight_[j];
        dt_[j] /= weight_[j];
    }
    for (std::int64_t r = 0; r < rows_.n; ++r) {
        d1_[r] /= weight_[codes_[r]];
        W_[r] /= weight_[codes_[r]];
    }
    return std::isfinite(out.value);
}

// How the value depends on centre and scale of the nodes of a level. With h = Lambda's - u, the gradient of the logarithm
// of the integrand at a node, the derivatives are e = -2 mean(h) in the centre and E = -2 mean(hz') in the scale, besides
// log|M|. Since dA = -A Phi(A' dM A), Phi the lower triangle with half of the diagonal, the derivative in M is
// A [I - sym Phi(A'E)] A'. It vanishes, as e does, where the rule is exact.
void Nodes::through_scale(int j, Adjoint &bar) {
    const double *Lambda = factors_.Lambda[0].data(), *A = square(A_, j), *C = square(C_, j), *u = at(u_, j);
    const double *mean_z = at(z_, j), *mean_s = at(s_, j), *zz = square(zz_, j), *sz = square(sz_, j);
    const std::size_t kk = static_cast<std::size_t>(k_) * k_;
    std::vector<double> E(kk), AE(kk), inner(kk), half(kk), right(kk);
    for (int a = 0; a < k_; ++a) {
        double h = -u[a];
        for (int c = 0; c < k_; ++c) h += Lambda[c * k_ + a] * mean_s[c] - A[a * k_ + c] * mean_z[c];
        at(bar.u, j)[a] = -2.0 * h;
        for (int b = 0; b < k_; ++b) {
            double hz = -u[a] * mean_z[b];
            for (int c = 0; c < k_; ++c) hz += Lambda[c * k_ + a] * sz[c * k_ + b] - A[a * k_ + c] * zz[c * k_ + b];
            E[a * k_ + b] = -2.0 * hz;
        }
    }
    multiply(k_, transposed(k_, A).data(), E.data(), AE.data());
    for (int a = 0; a < k_; ++a)
        for (int b = 0; b < k_; ++b)
            inner[a * k_ + b] = (a == b ? 1.0 : 0.0) - 0.5 * AE[std::max(a, b) * k_ + std::min(a, b)];
    multiply(k_, C, inner.data(), half.data());
    multiply(k_, half.data(), transposed(k_, C).data(), square(bar.K, j));
    multiply(k_, half.data(), transposed(k_, A).data(), inner.data());
    multiply(k_, square(ZWZ_, j), inner.data(), right.data());
    for (int a = 0; a < k_; ++a)
        for (int b = 0; b < k_; ++b) {
            double su = mean_s[a] * u[b];  // mean of s u' over the nodes: Lambda in their linear predictors
            for (int c = 0; c < k_; ++c) su += sz[a * k_ + c] * A[b * k_ + c];
            bar.Lambda[a * k_ + b] += 2.0 * (right[a * k_ + b] - su);
        }
}

// a_i = (dW_i / d eta_i) z_i'Kz_i, the derivative in eta_i at the mode. G on the way.
void Nodes::through_rows(Adjoint &bar, std::vector<double> &G) {
    for (std::int64_t r = 0; r < rows_.n; ++r) {
        const double *z = row(r), *K = square(bar.K, codes_[r]);
        double zKz = 0.0;
        for (int i = 0; i < k_; ++i)
            for (int c = 0; c < k_; ++c) {
                zKz += z[i] * K[i * k_ + c] * z[c];
                G[i * k_ + c] += W_[r] * z[i] * z[c];
            }
        bar.zKz[r] = zKz;
        bar.a[r] = -at_mode_.d3[r] * zKz;
        for (int i = 0; i < k_; ++i) at(bar.Za, codes_[r])[i] += z[i] * bar.a[r];
    }
}

// The mode solves u = Lambda's, so that with q = M^-1 (e + Lambda'Z'a) the rest of the derivative in Lambda is
// s q' + Z'a u' - Z'WZ Lambda q u'. Leaves Lambda q in place of e.
void Nodes::through_mode(int j, Adjoint &bar) {
    const double *u = at(u_, j), *s = &mode_.s[0][static_cast<std::size_t>(j) * k_], *Za = at(bar.Za, j);
    double *e = at(bar.u, j);
    const double *Lambda = factors_.Lambda[0].data();
    std::vector<double> half(k_), q(k_), ZWZq(k_);
    apply(k_, transposed(k_, Lambda).data(), Za, half.data());
    for (int i = 0; i < k_; ++i) e[i] += half[i];
    apply(k_, transposed(k_, square(A_, j)).data(), e, half.data());
    apply(k_, square(A_, j), half.data(), q.data());
    apply(k_, Lambda, q.data(), e);
    apply(k_, square(ZWZ_, j), e, ZWZq.data());
    for (int i = 0; i < k_; ++i)
        for (int c = 0; c < k_; ++c) bar.Lambda[i * k_ + c] += s[i] * q[c] + (Za[i] - ZWZq[i]) * u[c];
}

// As in Glmm::differentiate, with what the nodes' own linear predictors add.
void Nodes::differentiate(GlmmPoint &out) {
    const std::size_t kk = static_cast<std::size_t>(k_) * k_, levels = J_;
    const bool dispersion = kernel_.has_dispersion();
    Adjoint bar;
    bar.Lambda.assign(kk, 0.0);
    bar.K.assign(kk * levels, 0.0);
    for (auto *v : {&bar.u, &bar.Za}) v->assign(k_ * levels, 0.0);
    for (auto *v : {&bar.a, &bar.zKz}) v->assign(rows_.n, 0.0);
    out.G.assign(1, std::vector<double>(kk, 0.0));
    for (int j = 0; j < J_; ++j) through_scale(j, bar);
    through_rows(bar, out.G[0]);
    for (int j = 0; j < J_; ++j) {
        through_mode(j, bar);
        for (std::size_t i = 0; i < kk; ++i) out.G[0][i] -= square(ss_, j)[i];
        if (dispersion) out.t_gradient -= 2.0 * dt_[j];
    }
    out.theta_gradient.clear();
    for (const Entry &entry : plan_.entries) out.theta_gradient.push_back(bar.Lambda[entry.row * k_ + entry.column]);
    out.beta_gradient.assign(rows_.p, 0.0);
    for (std::int64_t r = 0; r < rows_.n; ++r) {
        double zq = 0.0;  // z'Lambda q
        for (int i = 0; i < k_; ++i) zq += row(r)[i] * at(bar.u, codes_[r])[i];
        const double slope = bar.a[r] - 2.0 * d1_[r] + at_mode_.d2[r] * zq;
        for (int c = 0; c < rows_.p; ++c) out.beta_gradient[c] += rows_.X[r * rows_.p + c] * slope;
        if (dispersion) out.t_gradient += zq * at_mode_.dt_d1[r] - bar.zKz[r] * at_mode_.dt_d2[r];
    }
}

}  // namespace

GlmmPoint quadrature(Glmm &glmm, const Rule &rule, const std::vector<double> &theta, const std::vector<double> &beta,
                     double t, const std::vector<std::vector<double>> &start, double tolerance) {
    GlmmOptions options;
    options.gradient = false;
    options.tolerance = tolerance;
    GlmmPoint out = glmm.evaluate(theta, beta, t, start, options);
    if (!out.ok) return out;
    out.ok = false;
    Nodes nodes(glmm, out, theta, t);
    if (!nodes.place()) return out;
    for (int q = 0; q < rule.n_nodes(); ++q)
        if (!nodes.add(&rule.z[static_cast<std::size_t>(q) * rule.k], rule.log_weights[q])) return out;
    if (!nodes.finish(out)) return out;
    nodes.differentiate(out);
    out.ok = true;
    return out;
}

}  // namespace me
