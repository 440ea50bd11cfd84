#include "core/sweep.hpp"

#include <algorithm>
#include <cmath>

#include "core/blas.hpp"
#include "core/panel.hpp"
#include "core/parallel.hpp"

namespace me {

template <class T>
Sweep<T>::Sweep(const Plan &plan, const Response &response, const Factors<T> &factors, Workspace *workspace)
    : plan_(plan), response_(response), factors_(factors), p_(plan.p), d_(static_cast<int>(plan.entries.size())) {
    levels_.resize(plan.stages.size());
    for (std::size_t s = 0; s < plan.stages.size(); ++s) {
        const Stage &stage = plan.stages[s];
        Level &level = levels_[s];
        const std::size_t q = static_cast<std::size_t>(stage.n_nodes) * stage.k;
        level.K.resize(q * stage.k);
        level.N.resize(q * stage.k);
        level.H0.resize(q * stage.k);
        if (s == 0) continue;
        const Block &block = plan.blocks[stage.block];
        level.A.assign(block.ZZ.begin(), block.ZZ.end());
        level.C.assign(stage.C.begin(), stage.C.end());
        level.CX.assign(block.ZX.begin(), block.ZX.end());
        level.Cy.assign(response.Zy[stage.block].begin(), response.Zy[stage.block].end());
    }
    workspace_ = workspace;
    if (workspace_) {
        root.A.v.swap(workspace_->A);
        root.M.swap(workspace_->M);
    }
    by_column_ = !plan.stages.empty() && !plan.stages[0].halves.empty();
    if (by_column_) {  // scatter() starts each column from the plan's
        root.A.resize(plan.Q);
        rows_.resize(plan.stages[0].C.size());
        if constexpr (!factored) left_rows_.resize(rows_.size());
    } else {
        root.A.assign(plan.Q, plan.D);
    }
    root.AX.assign(plan.DX.begin(), plan.DX.end());
    for (int g : plan.dense) root.Ay.insert(root.Ay.end(), response.Zy[g].begin(), response.Zy[g].end());
    root.XX.assign(plan.XX.begin(), plan.XX.end());
    root.Xy.assign(response.Xy.begin(), response.Xy.end());
    root.yy = T(response.yy);
}

template <class T>
Sweep<T>::~Sweep() {
    if (!workspace_) return;
    root.A.v.swap(workspace_->A);
    (root.K.v.empty() ? root.M : root.K.v).swap(workspace_->M);
}

template <class T>
bool Sweep<T>::up() {
    const int top = static_cast<int>(plan_.stages.size()) - 1;
    for (int j = 0; j < plan_.stages[top].n_nodes && ok_; ++j) visit(top, j);
    if (!ok_) return false;
    if (by_column_) scatter();
    log_det_ = logs_.total();
    return root.solve(plan_, factors_);
}

template <>
bool Sweep<double>::scatter_crowded() {
    const Stage &stage = plan_.stages[0];
    if (!stage.crowded || stage.k > 64) return false;
    const int Q = static_cast<int>(plan_.Q);
    root.A.assign(plan_.Q, plan_.D);
    for_each_panel(stage, plan_.Q, rows_.data(), [&](const std::vector<double> &panel, int filled, int most, int) {
        blas::syrk_lower('T', Q, filled, -1.0, panel.data(), most, 1.0, root.A.v.data(), Q);
    });
    return true;
}
template <>
bool Sweep<Dual>::scatter_crowded() {
    return false;
}

template <class T>
void Sweep<T>::scatter() {
    if (scatter_crowded()) return;
    const Stage &stage = plan_.stages[0];
    const int K = stage.k;
    const std::int64_t Q = plan_.Q;
    for_each_task(static_cast<int>(stage.halves.size()) - 1, workspace_ ? workspace_->n_threads : 1, [&](int part) {
        for (std::int64_t column = stage.halves[part]; column < stage.halves[part + 1]; ++column) {
            root.A.copy(column * (Q + 1), (column + 1) * Q, plan_.D);
            for (std::int64_t at = stage.column_start[column]; at < stage.column_start[column + 1]; ++at) {
                const int j = stage.node[at], width = stage.width(j);
                const std::int32_t *map = &stage.map[stage.start[j]];
                const int c = static_cast<int>(stage.place[at] - stage.start[j]);
                for (int k = 0; k < K; ++k) {
                    const std::size_t first = static_cast<std::size_t>(K) * stage.start[j] + static_cast<std::size_t>(k) * width;
                    const T *row = &rows_[first];
                    const T f = factored ? -row[c] : -left_rows_[first + c];
                    for (int e = c; e < width; ++e) root.A.add(column * Q + map[e], f * row[e]);
                }
            }
        }
    });
}

template <class T>
void Sweep<T>::visit(int s, int j) {
    const Stage &stage = plan_.stages[s];
    const Block &block = plan_.blocks[stage.block];
    const std::size_t k = stage.k, at = static_cast<std::size_t>(j) * k;
    auto run = [&]<class A>(const A *own, const A *C, const A *CX, const A *Cy) {
        switch (stage.k) {
            case 1: eliminate<1>(s, j, own, C, CX, Cy); break;
            case 2: eliminate<2>(s, j, own, C, CX, Cy); break;
            case 3: eliminate<3>(s, j, own, C, CX, Cy); break;
            default: eliminate<0>(s, j, own, C, CX, Cy);
        }
    };
    if (s == 0) {
        run(block.ZZ.data() + at * k, stage.C.data() + k * stage.start[j], block.ZX.data() + at * p_,
            response_.Zy[stage.block].data() + at);
        return;
    }
    Level &level = levels_[s];
    const std::size_t width = stage.width(j);
    level.front.assign(width * width, T(0.0));
    level.frontX.assign(width * p_, T(0.0));
    level.fronty.assign(width, T(0.0));
    for (std::int64_t c = stage.child_start[j]; c < stage.child_start[j + 1] && ok_; ++c) visit(s - 1, stage.child[c]);
    if (!ok_) return;
    run(level.A.data() + at * k, level.C.data() + k * stage.start[j], level.CX.data() + at * p_, level.Cy.data() + at);
}

// K and N of one level and its share of the log-determinant. With a factor L of M, rows of L^-1 Lambda' are left in the
// scratch; without (when S carries a derivative that Lambda need not have) everything follows from N = (I + S A)^-1.
template <class T>
template <int KK, class A>
bool Sweep<T>::factor_level(int k, const A *own, const T *Lambda, const T *S, T *Km, T *N) {
    const int K = KK ? KK : k;
    T *M = scratch_.data(), *P = M + K * K, *t = P + K * K;
    auto product = [K](const auto *x, const auto *y, T *out) {
        for (int a = 0; a < K; ++a)
            for (int b = 0; b < K; ++b) {
                T sum(0.0);
                for (int c = 0; c < K; ++c) sum += x[a * K + c] * y[c * K + b];
                out[a * K + b] = sum;
            }
    };
    product(S, own, t);
    for (int a = 0; a < K; ++a) t[a * K + a] += T(1.0);
    T determinant(1.0);
    if (!small::invert(K, t, N, &determinant)) return false;
    if constexpr (!factored) {
        if (!(value(determinant) > 0.0)) return false;
        logs_.add(determinant);
        product(N, S, Km);
        return true;
    }
    product(own, Lambda, t);
    for (int a = 0; a < K; ++a)
        for (int b = 0; b < K; ++b) {
            T sum(a == b ? 1.0 : 0.0);
            for (int c = 0; c < K; ++c) sum += Lambda[c * K + a] * t[c * K + b];
            M[a * K + b] = sum;
            P[a * K + b] = Lambda[b * K + a];
        }
    if (!small::cholesky(K, M)) return false;
    for (int a = 0; a < K; ++a) logs_.add(M[a * K + a] * M[a * K + a]);
    small::forward_solve(K, M, K, P);  // L^-1 Lambda'
    for (int a = 0; a < K; ++a)
        for (int b = 0; b < K; ++b) {
            T sum(0.0);
            for (int c = 0; c < K; ++c) sum += P[c * K + a] * P[c * K + b];
            Km[a * K + b] = sum;
        }
    return true;
}

// F [C CX Cy] for a small square F, (K, w) row-major.
template <class T, class Columns>
void weighted_rows(int K, int w, const T *F, Columns &&columns, T *out) {
    for (int a = 0; a < K; ++a) {
        T *row = out + static_cast<std::size_t>(a) * w;
        std::fill(row, row + w, T(0.0));
        for (int b = 0; b < K; ++b) {
            const T f = F[a * K + b];
            for (int c = 0; c < w; ++c) row[c] += f * columns(b, c);
        }
    }
}

template <class T>
template <int KK, class A>
void Sweep<T>::eliminate(int s, int j, const A *own, const A *C, const A *CX, const A *Cy) {
    const Stage &stage = plan_.stages[s];
    const int K = KK ? KK : stage.k;
    const int width = stage.width(j), w = width + p_ + 1;
    Level &level = levels_[s];
    T *Km = &level.K[static_cast<std::size_t>(j) * K * K], *N = &level.N[static_cast<std::size_t>(j) * K * K],
      *H0 = &level.H0[static_cast<std::size_t>(j) * K * K];
    scratch_.resize(static_cast<std::size_t>(3) * K * K);
    R_.resize(static_cast<std::size_t>(K) * w);
    ok_ = factor_level<KK>(K, own, factors_.Lambda[stage.block].data(), factors_.S[stage.block].data(), Km, N);
    if (!ok_) return;
    for (int a = 0; a < K; ++a)
        for (int b = 0; b < K; ++b) {
            T sum(0.0);
            for (int c = 0; c < K; ++c) sum += own[a * K + c] * N[c * K + b];
            H0[a * K + b] = sum;
        }
    auto columns = [&](int b, int c) {
        return c < width ? T(C[static_cast<std::size_t>(b) * width + c]) : c < width + p_ ? T(CX[b * p_ + c - width]) : T(Cy[b]);
    };
    if constexpr (factored) {
        weighted_rows(K, w, scratch_.data() + K * K, columns, R_.data());
    } else {
        left_.resize(R_.size());
        for (int a = 0; a < K; ++a)
            for (int c = 0; c < w; ++c) R_[static_cast<std::size_t>(a) * w + c] = columns(a, c);
        weighted_rows(K, w, Km, columns, left_.data());
    }
    const T *left = factored ? R_.data() : left_.data();
    for (int a = 0; a < K; ++a) {
        const T *x = &R_[static_cast<std::size_t>(a) * w + width], *y = left + static_cast<std::size_t>(a) * w + width;
        for (int c = 0; c < p_; ++c) {
            for (int e = 0; e < p_; ++e) root.XX[c * p_ + e] -= y[c] * x[e];
            root.Xy[c] -= y[c] * x[p_];
        }
        root.yy -= x[p_] * y[p_];
    }
    if (width > 0) s > 0 ? pass_up<KK, true>(s, j, width) : pass_up<KK, false>(s, j, width);
}

// Subtracts R'R (and adds what children passed on) in the parent's front, or at the root.
template <class T>
template <int KK, bool fronted>
void Sweep<T>::pass_up(int s, int j, int width) {
    const Stage &stage = plan_.stages[s];
    const int K = KK ? KK : stage.k;
    const std::size_t w = static_cast<std::size_t>(width) + p_ + 1;
    const std::int32_t *map = &stage.map[stage.start[j]];
    const Level &level = levels_[s];
    const T *R = R_.data(), *left = factored ? R : left_.data();
    auto product = [&](int a, int c) {
        T sum = left[a] * R[c];
        for (int k = 1; k < K; ++k) sum += left[k * w + a] * R[k * w + c];
        return sum;
    };
    auto update = [&](int a, int c) {
        if constexpr (fronted) return level.front[static_cast<std::size_t>(a) * width + c] - product(a, c);
        else return -product(a, c);
    };
    auto updateX = [&](int a, int c) {
        if constexpr (fronted) return level.frontX[static_cast<std::size_t>(a) * p_ + c] - product(a, width + c);
        else return -product(a, width + c);
    };
    auto updatey = [&](int a) {
        if constexpr (fronted) return level.fronty[a] - product(a, width + p_);
        else return -product(a, width + p_);
    };
    if (stage.parent.empty()) {
        const std::int64_t Q = plan_.Q;
        if (by_column_) {  // the rest waits for scatter()
            const std::size_t first = static_cast<std::size_t>(K) * stage.start[j];
            for (int k = 0; k < K; ++k) {
                std::copy(R + k * w, R + k * w + width, &rows_[first + static_cast<std::size_t>(k) * width]);
                if constexpr (!factored) std::copy(left + k * w, left + k * w + width, &left_rows_[first + static_cast<std::size_t>(k) * width]);
            }
            for (int a = 0; a < width; ++a) {
                for (int c = 0; c < p_; ++c) root.AX[c * Q + map[a]] += updateX(a, c);
                root.Ay[map[a]] += updatey(a);
            }
            return;
        }
        for (int a = 0; a < width; ++a) {
            const std::int64_t column = static_cast<std::int64_t>(map[a]) * Q;
            for (int c = a; c < width; ++c) root.A.add(column + map[c], update(a, c));
            for (int c = 0; c < p_; ++c) root.AX[c * Q + map[a]] += updateX(a, c);
            root.Ay[map[a]] += updatey(a);
        }
        return;
    }
    const Stage &next = plan_.stages[s + 1];
    Level &up = levels_[s + 1];
    const int parent = stage.parent[j], k = next.k, beyond = next.width(parent);
    T *A = &up.A[static_cast<std::size_t>(parent) * k * k], *C = up.C.data() + static_cast<std::size_t>(k) * next.start[parent];
    T *CX = up.CX.data() + static_cast<std::size_t>(parent) * k * p_, *Cy = &up.Cy[static_cast<std::size_t>(parent) * k];
    for (int a = 0; a < width; ++a) {
        const int x = map[a];
        for (int c = a; c < width; ++c) {
            const int y = map[c];
            const T value = update(a, c);
            if (y < k) {
                A[x * k + y] += value;
                if (x != y) A[y * k + x] += value;
            } else if (x < k) {
                C[static_cast<std::size_t>(x) * beyond + (y - k)] += value;
            } else {
                up.front[static_cast<std::size_t>(x - k) * beyond + (y - k)] += value;
            }
        }
        for (int c = 0; c < p_; ++c) (x < k ? CX[x * p_ + c] : up.frontX[static_cast<std::size_t>(x - k) * p_ + c]) += updateX(a, c);
        (x < k ? Cy[x] : up.fronty[x - k]) += updatey(a);
    }
}

template class Sweep<double>;
template class Sweep<Dual>;

}  // namespace me
