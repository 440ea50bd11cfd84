#include "core/dense_root.hpp"

#include <algorithm>
#include <cmath>

#include "core/blas.hpp"
#include "core/small.hpp"

namespace me {
namespace {

// Calls visit(block, first root column of a level) for every level of every dense block.
template <class Visit>
void for_each_level(const Plan &plan, Visit &&visit) {
    for (int g : plan.dense)
        for (int j = 0; j < plan.blocks[g].n_levels; ++j)
            visit(g, plan.offset[g] + static_cast<std::int64_t>(j) * plan.blocks[g].k);
}

// B <- blockdiag(F)' B or blockdiag(F) B, with F one small matrix for each block; B is Q x n.
void apply_rows(const Plan &plan, const std::vector<std::vector<double>> &F, bool transposed, std::int64_t n, double *B) {
    const std::int64_t Q = plan.Q;
    std::vector<double> t;
    for_each_level(plan, [&](int g, std::int64_t at) {
        const int k = plan.blocks[g].k;
        const auto &f = F[g];
        t.resize(k);
        for (std::int64_t c = 0; c < n; ++c) {
            double *b = B + c * Q + at;
            for (int i = 0; i < k; ++i) {
                t[i] = 0.0;
                for (int j = 0; j < k; ++j) t[i] += (transposed ? f[j * k + i] : f[i * k + j]) * b[j];
            }
            std::copy(t.begin(), t.end(), b);
        }
    });
}

// B <- B blockdiag(F)' or B blockdiag(F); B is Q x Q.
void apply_columns(const Plan &plan, const std::vector<std::vector<double>> &F, bool transposed, double *B) {
    const std::int64_t Q = plan.Q;
    std::vector<double> t;
    for_each_level(plan, [&](int g, std::int64_t at) {
        const int k = plan.blocks[g].k;
        const auto &f = F[g];
        t.resize(k);
        for (std::int64_t r = 0; r < Q; ++r) {
            for (int i = 0; i < k; ++i) {
                t[i] = 0.0;
                for (int j = 0; j < k; ++j) t[i] += B[(at + j) * Q + r] * (transposed ? f[i * k + j] : f[j * k + i]);
            }
            for (int i = 0; i < k; ++i) B[(at + i) * Q + r] = t[i];
        }
    });
}

// Inverse of the Cholesky factor of a lower triangle, in place, and then the inverse of the matrix itself from it.
// By halves, in terms of products only: those run at about twice the speed of LAPACK's triangular solves.
constexpr int smallest = 64;

bool invert_factor(int n, double *a, int lda) {
    if (n <= smallest) return blas::potrf_lower(n, a, lda) == 0 && blas::trtri_lower(n, a, lda) == 0;
    const int h = n / 2, r = n - h;
    double *a21 = a + h, *a22 = a + static_cast<std::size_t>(h) * (lda + 1);
    if (!invert_factor(h, a, lda)) return false;
    blas::trmm_lower('R', 'T', r, h, 1.0, a, lda, a21, lda);           // L21 = A21 L11^-T
    blas::syrk_lower('N', r, h, -1.0, a21, lda, 1.0, a22, lda);        // A22 - L21 L21'
    if (!invert_factor(r, a22, lda)) return false;
    blas::trmm_lower('L', 'N', r, h, -1.0, a22, lda, a21, lda);        // - L22^-1 L21 L11^-1
    blas::trmm_lower('R', 'N', r, h, 1.0, a, lda, a21, lda);
    return true;
}

void square_factor(int n, double *x, int lda) {  // lower triangle of X'X for a lower triangle X, in place
    if (n <= smallest) {
        for (int c = 0; c < n; ++c)
            for (int r = c; r < n; ++r) {
                double dot = 0.0;
                for (int k = r; k < n; ++k) dot += x[static_cast<std::size_t>(r) * lda + k] * x[static_cast<std::size_t>(c) * lda + k];
                x[static_cast<std::size_t>(c) * lda + r] = dot;  // row r of column c is not read again
            }
        return;
    }
    const int h = n / 2, r = n - h;
    double *x21 = x + h, *x22 = x + static_cast<std::size_t>(h) * (lda + 1);
    square_factor(h, x, lda);
    blas::syrk_lower('T', h, r, 1.0, x21, lda, 1.0, x, lda);
    blas::trmm_lower('L', 'T', r, h, 1.0, x22, lda, x21, lda);
    square_factor(r, x22, lda);
}

void mirror(std::int64_t n, std::vector<double> &a) {
    constexpr std::int64_t tile = 32;
    for (std::int64_t c0 = 0; c0 < n; c0 += tile)
        for (std::int64_t r0 = c0; r0 < n; r0 += tile)
            for (std::int64_t c = c0; c < std::min(n, c0 + tile); ++c)
                for (std::int64_t r = std::max(r0, c + 1); r < std::min(n, r0 + tile); ++r) a[r * n + c] = a[c * n + r];
}

const std::vector<std::vector<double>> &values_of(const Factors<double> &f, std::vector<std::vector<double>> &) {
    return f.Lambda;
}
const std::vector<std::vector<double>> &values_of(const Factors<Dual> &f, std::vector<std::vector<double>> &store) {
    store.clear();
    for (const auto &block : f.Lambda) {
        store.emplace_back();
        for (const auto &x : block) store.back().push_back(x.v);
    }
    return store;
}

// L^-1 for the Cholesky factor L of M = Lambda' A Lambda + I; false when there is none.
bool inverse_factor(const Plan &plan, const std::vector<std::vector<double>> &Lambda, const std::vector<double> &A,
            std::vector<double> &M) {
    const std::int64_t Q = plan.Q;
    bool scalar = true;
    for (int g : plan.dense) scalar = scalar && plan.blocks[g].k == 1;
    if (scalar) {
        std::vector<double> scale(Q);
        for_each_level(plan, [&](int g, std::int64_t at) { scale[at] = Lambda[g][0]; });
        resize_large(M, A.size());
        for (std::int64_t c = 0; c < Q; ++c)
            for (std::int64_t r = c; r < Q; ++r) M[c * Q + r] = A[c * Q + r] * (scale[c] * scale[r]);
    } else {
        resize_large(M, A.size());
        std::copy(A.begin(), A.end(), M.begin());
        mirror(Q, M);
        apply_rows(plan, Lambda, true, Q, M.data());
        apply_columns(plan, Lambda, false, M.data());
    }
    for (std::int64_t c = 0; c < Q; ++c) M[c * Q + c] += 1.0;
    const int q = static_cast<int>(Q);
    return invert_factor(q, M.data(), q);
}

// Smallest eigenvalue of S that would make Lambda^-T (I - M^-1) Lambda^-1 lose digits, by a cheap bound.
bool well_conditioned(const Plan &plan, const std::vector<std::vector<double>> &Lambda, const std::vector<double> &A) {
    for (int g : plan.dense) {
        const int k = plan.blocks[g].k;
        double mean = 0.0;
        const std::int64_t count = static_cast<std::int64_t>(plan.blocks[g].n_levels) * k;
        for (std::int64_t c = 0; c < count; ++c) mean += A[(plan.offset[g] + c) * (plan.Q + 1)];
        std::vector<double> f = Lambda[g], inverse(static_cast<std::size_t>(k) * k);
        if (!small::invert(k, f.data(), inverse.data())) return false;
        double norm = 0.0;  // squared Frobenius norm of Lambda^-1, at least 1 / (smallest eigenvalue of S)
        for (double x : inverse) norm += x * x;
        if (!(norm * 1e-2 < mean / static_cast<double>(count))) return false;
    }
    return true;
}

// Sum over levels of the diagonal blocks of A - A K A = Lambda^-T (I - M^-1) Lambda^-1.
void diagonal_from_inverse(const Plan &plan, const std::vector<std::vector<double>> &Lambda,
                           const std::vector<double> &M_inverse, std::vector<std::vector<double>> &H) {
    const std::int64_t Q = plan.Q;
    for (int g : plan.dense) {
        const int k = plan.blocks[g].k;
        std::vector<double> sum(static_cast<std::size_t>(k) * k, 0.0), f = Lambda[g], inverse(sum), t(sum);
        for (int j = 0; j < plan.blocks[g].n_levels; ++j) {
            const std::int64_t at = plan.offset[g] + static_cast<std::int64_t>(j) * k;
            for (int a = 0; a < k; ++a)
                for (int b = 0; b < k; ++b)
                    sum[a * k + b] += (a == b) - M_inverse[(at + std::min(a, b)) * Q + at + std::max(a, b)];
        }
        small::invert(k, f.data(), inverse.data());
        for (int a = 0; a < k; ++a)
            for (int b = 0; b < k; ++b) {
                t[a * k + b] = 0.0;
                for (int c = 0; c < k; ++c) t[a * k + b] += sum[a * k + c] * inverse[c * k + b];
            }
        for (int a = 0; a < k; ++a)
            for (int b = 0; b < k; ++b) {
                H[g][a * k + b] = 0.0;
                for (int c = 0; c < k; ++c) H[g][a * k + b] += inverse[c * k + a] * t[c * k + b];
            }
    }
}

// The same from A - Y'Y, Y = L^-1 Lambda' A, which keeps its digits as Lambda goes to zero.
void diagonal_from_solve(const Plan &plan, const std::vector<std::vector<double>> &Lambda, const std::vector<double> &A,
                         const std::vector<double> &L_inverse, std::vector<std::vector<double>> &H) {
    const std::int64_t Q = plan.Q;
    const int q = static_cast<int>(Q);
    std::vector<double> Y = A;
    mirror(Q, Y);
    apply_rows(plan, Lambda, true, Q, Y.data());
    blas::trmm_lower('L', 'N', q, q, 1.0, L_inverse.data(), q, Y.data(), q);
    for_each_level(plan, [&](int g, std::int64_t at) {
        const int k = plan.blocks[g].k;
        for (int a = 0; a < k; ++a)
            for (int b = 0; b < k; ++b) {
                double dot = 0.0;
                const double *x = &Y[(at + a) * Q], *y = &Y[(at + b) * Q];
                for (std::int64_t r = 0; r < Q; ++r) dot += x[r] * y[r];
                H[g][a * k + b] += A[(at + std::min(a, b)) * Q + at + std::max(a, b)] - dot;
            }
    });
}

// Lambda M^-1 Lambda' (lower triangle), from M^-1 (lower triangle).
void sandwich(const Plan &plan, const std::vector<std::vector<double>> &Lambda, std::vector<double> &M_inverse) {
    const std::int64_t Q = plan.Q;
    bool scalar = true;
    for (int g : plan.dense) scalar = scalar && plan.blocks[g].k == 1;
    if (scalar) {
        std::vector<double> scale(Q);
        for_each_level(plan, [&](int g, std::int64_t at) { scale[at] = Lambda[g][0]; });
        for (std::int64_t c = 0; c < Q; ++c)
            for (std::int64_t r = c; r < Q; ++r) M_inverse[c * Q + r] *= scale[c] * scale[r];
        return;
    }
    mirror(Q, M_inverse);
    apply_rows(plan, Lambda, false, Q, M_inverse.data());
    apply_columns(plan, Lambda, true, M_inverse.data());
}

std::vector<double> part(const std::vector<double> &a, bool) { return a; }
std::vector<double> part(const std::vector<Dual> &a, bool derivative) {
    std::vector<double> out(a.size());
    for (std::size_t i = 0; i < a.size(); ++i) out[i] = derivative ? a[i].d : a[i].v;
    return out;
}


}  // namespace

// beta, rss and (X'V^-1X)^-1 once XVX, Xy and yy hold what is left after the dense block.
template <class T>
bool Root<T>::solve_fixed(int p) {
    std::vector<T> L = XVX, w = Xy;
    if (!small::cholesky(p, L.data())) return false;
    small::forward_solve(p, L.data(), 1, w.data());
    rss = yy;
    log_det_X = T(0.0);
    for (int c = 0; c < p; ++c) {
        rss -= w[c] * w[c];
        log_det_X += T(2.0) * logarithm(L[c * p + c]);
    }
    XVX_inverse.assign(static_cast<std::size_t>(p) * p, T(0.0));
    std::vector<T> E(static_cast<std::size_t>(p) * p, T(0.0));
    for (int c = 0; c < p; ++c) E[c * p + c] = T(1.0);
    small::forward_solve(p, L.data(), p, E.data());  // L^-1
    beta.assign(p, T(0.0));
    for (int a = 0; a < p; ++a)
        for (int c = 0; c < p; ++c) {
            beta[a] += E[c * p + a] * w[c];
            for (int b = 0; b < p; ++b) XVX_inverse[a * p + b] += E[c * p + a] * E[c * p + b];
        }
    return value(rss) > 0.0;
}

template <>
bool Root<double>::solve(const Plan &plan, const Factors<double> &factors) {
    const int p = plan.p, q = static_cast<int>(plan.Q);
    XVX = XX;
    if (q == 0) return solve_fixed(p);
    if (!inverse_factor(plan, factors.Lambda, A.v, M)) return false;
    for (int c = 0; c < q; ++c) log_det -= 2.0 * std::log(M[static_cast<std::size_t>(c) * (q + 1)]);
    std::vector<double> B(AX);  // L^-1 Lambda' [AX Ay]
    B.insert(B.end(), Ay.begin(), Ay.end());
    apply_rows(plan, factors.Lambda, true, p + 1, B.data());
    blas::trmm_lower('L', 'N', q, p + 1, 1.0, M.data(), q, B.data(), q);
    for (int a = 0; a <= p; ++a)
        for (int b = 0; b <= a; ++b) {
            double dot = 0.0;
            for (int r = 0; r < q; ++r) dot += B[static_cast<std::size_t>(a) * q + r] * B[static_cast<std::size_t>(b) * q + r];
            if (a < p) {
                XVX[a * p + b] -= dot;
                if (a != b) XVX[b * p + a] -= dot;
            } else if (b < p) {
                Xy[b] -= dot;
            } else {
                yy -= dot;
            }
        }
    if (!solve_fixed(p)) return false;
    modes.assign(B.begin() + static_cast<std::ptrdiff_t>(p) * q, B.end());
    for (int c = 0; c < p; ++c)
        for (int r = 0; r < q; ++r) modes[r] -= B[static_cast<std::size_t>(c) * q + r] * beta[c];
    blas::trmm_lower('L', 'T', q, 1, 1.0, M.data(), q, modes.data(), q);
    apply_rows(plan, factors.Lambda, false, 1, modes.data());
    return true;
}

template <>
void Root<double>::residual(const Plan &plan) {
    const int p = plan.p, q = static_cast<int>(plan.Q);
    if (q == 0) return;
    s = Ay;
    blas::symm_left(q, 1, -1.0, A.v.data(), q, modes.data(), q, 1.0, s.data(), q);
    for (int c = 0; c < p; ++c)
        for (int r = 0; r < q; ++r) s[r] -= AX[static_cast<std::size_t>(c) * q + r] * beta[c];
}

template <>
void Root<double>::differentiate(const Plan &plan, const Factors<double> &factors) {
    const int p = plan.p, q = static_cast<int>(plan.Q);
    H.resize(plan.blocks.size());
    if (q == 0) return;
    for (int g : plan.dense) H[g].assign(static_cast<std::size_t>(plan.blocks[g].k) * plan.blocks[g].k, 0.0);
    const bool shortcut = well_conditioned(plan, factors.Lambda, A.v);
    if (!shortcut) diagonal_from_solve(plan, factors.Lambda, A.v, M, H);
    K.n = q;
    K.v.swap(M);
    square_factor(q, K.v.data(), q);
    if (shortcut) diagonal_from_inverse(plan, factors.Lambda, K.v, H);
    sandwich(plan, factors.Lambda, K.v);
    const std::size_t size = static_cast<std::size_t>(q) * p;
    Upsilon.assign(size, 0.0);
    blas::symm_left(q, p, -1.0, K.v.data(), q, AX.data(), q, 0.0, Upsilon.data(), q);
    if (shortcut) {  // modes = S s and Upsilon = -S U
        U = Upsilon;
        for (double &x : U) x = -x;
        s = modes;
        std::vector<std::vector<double>> inverse(plan.blocks.size());
        for (int g : plan.dense) {
            std::vector<double> S = factors.S[g];
            inverse[g].resize(S.size());
            small::invert(plan.blocks[g].k, S.data(), inverse[g].data());
        }
        apply_rows(plan, inverse, false, p, U.data());
        apply_rows(plan, inverse, false, 1, s.data());
        return;
    }
    U = AX;
    blas::symm_left(q, p, 1.0, A.v.data(), q, Upsilon.data(), q, 1.0, U.data(), q);
    residual(plan);
}

// Values by the functions above; derivatives by K' = N S' N' - K A' K and the product rule.
template <>
bool Root<Dual>::solve(const Plan &plan, const Factors<Dual> &factors) {
    const int p = plan.p, q = static_cast<int>(plan.Q);
    XVX = XX;
    if (q == 0) return solve_fixed(p);
    const std::size_t size = static_cast<std::size_t>(q) * q;
    std::vector<std::vector<double>> store;
    const auto &Lambda = values_of(factors, store);
    std::vector<double> Av = A.v, Ad = A.d, L;
    mirror(q, Av);
    mirror(q, Ad);
    if (!inverse_factor(plan, Lambda, A.v, L)) return false;
    K.n = q;
    K.v = L;
    square_factor(q, K.v.data(), q);
    sandwich(plan, Lambda, K.v);
    mirror(q, K.v);
    std::vector<std::vector<double>> Sd(plan.blocks.size());
    for (int g : plan.dense)
        for (const auto &x : factors.S[g]) Sd[g].push_back(x.d);
    // N = (I + S A)^-1 and H0 = A N: from K = N S where S is well conditioned, which keeps the digits for large S too.
    std::vector<double> N(size, 0.0), t(size), H0(size, 0.0);
    if (well_conditioned(plan, Lambda, A.v)) {
        std::vector<std::vector<double>> inverse(plan.blocks.size());
        for (int g : plan.dense) {
            std::vector<double> S;
            for (const auto &x : factors.S[g]) S.push_back(x.v);
            inverse[g].resize(S.size());
            small::invert(plan.blocks[g].k, S.data(), inverse[g].data());
        }
        N = K.v;
        apply_columns(plan, inverse, false, N.data());
        H0 = N;  // S^-1 - S^-1 K S^-1
        apply_rows(plan, inverse, false, q, H0.data());
        for (double &x : H0) x = -x;
        for_each_level(plan, [&](int g, std::int64_t at) {
            const int k = plan.blocks[g].k;
            for (int a = 0; a < k; ++a)
                for (int b = 0; b < k; ++b) H0[(at + b) * q + at + a] += inverse[g][a * k + b];
        });
    } else {
        for (int c = 0; c < q; ++c) N[static_cast<std::size_t>(c) * (q + 1)] = 1.0;
        blas::gemm('N', 'N', q, q, q, -1.0, K.v.data(), q, Av.data(), q, 1.0, N.data(), q);
        blas::gemm('N', 'N', q, q, q, 1.0, Av.data(), q, N.data(), q, 0.0, H0.data(), q);
    }
    K.d.assign(size, 0.0);
    t = N;
    apply_columns(plan, Sd, false, t.data());
    blas::gemm('N', 'T', q, q, q, 1.0, t.data(), q, N.data(), q, 0.0, K.d.data(), q);
    blas::gemm('N', 'N', q, q, q, 1.0, K.v.data(), q, Ad.data(), q, 0.0, t.data(), q);
    blas::gemm('N', 'N', q, q, q, -1.0, t.data(), q, K.v.data(), q, 1.0, K.d.data(), q);
    // log|I + S A|: value from the factor, derivative tr(K A') + tr(H0 S').
    double slope = 0.0, level = 0.0;
    for (int c = 0; c < q; ++c) level -= 2.0 * std::log(L[static_cast<std::size_t>(c) * (q + 1)]);
    for (std::size_t i = 0; i < size; ++i) slope += K.v[i] * Ad[i];
    H.assign(plan.blocks.size(), {});
    for (int g : plan.dense) H[g].assign(static_cast<std::size_t>(plan.blocks[g].k) * plan.blocks[g].k, Dual());
    // Diagonal blocks of H0' = N' A' N - H0 S' H0.
    std::vector<double> AN(size), HS = H0;
    blas::gemm('N', 'N', q, q, q, 1.0, Ad.data(), q, N.data(), q, 0.0, AN.data(), q);
    apply_columns(plan, Sd, false, HS.data());
    for_each_level(plan, [&](int g, std::int64_t at) {
        const int k = plan.blocks[g].k;
        for (int a = 0; a < k; ++a)
            for (int b = 0; b < k; ++b) {
                const double *x = &N[(at + a) * q], *y = &AN[(at + b) * q], *z = &H0[(at + b) * q];
                double d = 0.0;
                for (int r = 0; r < q; ++r) d += x[r] * y[r] - HS[static_cast<std::size_t>(r) * q + at + a] * z[r];
                H[g][a * k + b] += Dual(H0[(at + b) * q + at + a], d);
                slope += H0[(at + b) * q + at + a] * Sd[g][b * k + a];
            }
    });
    log_det = Dual(level, slope);
    // K [AX Ay] and what is left of X and y.
    std::vector<Dual> C(AX);
    C.insert(C.end(), Ay.begin(), Ay.end());
    const int w = p + 1;
    const std::vector<double> Cv = part(C, false), Cd = part(C, true);
    std::vector<double> KCv(Cv.size()), KCd(Cv.size());
    blas::gemm('N', 'N', q, w, q, 1.0, K.v.data(), q, Cv.data(), q, 0.0, KCv.data(), q);
    blas::gemm('N', 'N', q, w, q, 1.0, K.d.data(), q, Cv.data(), q, 0.0, KCd.data(), q);
    blas::gemm('N', 'N', q, w, q, 1.0, K.v.data(), q, Cd.data(), q, 1.0, KCd.data(), q);
    auto KC = [&](int r, int c) { return Dual(KCv[static_cast<std::size_t>(c) * q + r], KCd[static_cast<std::size_t>(c) * q + r]); };
    for (int a = 0; a < w; ++a)
        for (int b = 0; b < w; ++b) {
            Dual dot;
            for (int r = 0; r < q; ++r) dot += C[static_cast<std::size_t>(a) * q + r] * KC(r, b);
            if (a < p && b < p) XVX[a * p + b] -= dot;
            if (a < p && b == p) Xy[a] -= dot;
            if (a == p && b == p) yy -= dot;
        }
    if (!solve_fixed(p)) return false;
    modes.assign(q, Dual());
    Upsilon.assign(static_cast<std::size_t>(q) * p, Dual());
    for (int r = 0; r < q; ++r) {
        modes[r] = KC(r, p);
        for (int c = 0; c < p; ++c) {
            modes[r] -= KC(r, c) * beta[c];
            Upsilon[static_cast<std::size_t>(c) * q + r] = -KC(r, c);
        }
    }
    // s = Ay - AX beta - A modes and U = AX + A Upsilon.
    std::vector<Dual> V(Upsilon);
    for (int r = 0; r < q; ++r) V.push_back(-modes[r]);
    const std::vector<double> Vv = part(V, false), Vd = part(V, true);
    std::vector<double> AVv(Vv.size()), AVd(Vv.size());
    blas::gemm('N', 'N', q, w, q, 1.0, Av.data(), q, Vv.data(), q, 0.0, AVv.data(), q);
    blas::gemm('N', 'N', q, w, q, 1.0, Av.data(), q, Vd.data(), q, 0.0, AVd.data(), q);
    blas::gemm('N', 'N', q, w, q, 1.0, Ad.data(), q, Vv.data(), q, 1.0, AVd.data(), q);
    U.resize(Upsilon.size());
    for (std::size_t i = 0; i < U.size(); ++i) U[i] = AX[i] + Dual(AVv[i], AVd[i]);
    s.resize(q);
    for (int r = 0; r < q; ++r) {
        const std::size_t i = static_cast<std::size_t>(p) * q + r;
        s[r] = Ay[r] + Dual(AVv[i], AVd[i]);
        for (int c = 0; c < p; ++c) s[r] -= AX[static_cast<std::size_t>(c) * q + r] * beta[c];
    }
    return true;
}

template <>
void Root<Dual>::differentiate(const Plan &plan, const Factors<Dual> &) {
    H.resize(plan.blocks.size());  // everything else was made with the derivatives in solve()
}

template struct Root<double>;
template struct Root<Dual>;

}  // namespace me
