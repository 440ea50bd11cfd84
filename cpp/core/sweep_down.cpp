#include <algorithm>
#include <cmath>

#include "core/blas.hpp"
#include "core/panel.hpp"
#include "core/parallel.hpp"
#include "core/sweep.hpp"

namespace me {
namespace {

// What a node reads on its way down: W, Upsilon and omega of its parent's front, or of the root.
template <class T>
struct FromRoot {
    const Root<T> &root;
    std::int64_t Q;
    std::int64_t column(std::int64_t place) const { return place * Q; }
    T W(std::int64_t at) const { return root.K.get(at); }
    T X(std::int64_t place, int c) const { return root.Upsilon[c * Q + place]; }
    T y(std::int64_t place) const { return -root.modes[place]; }
};

template <class T>
struct FromFront {
    const T *W_, *X_, *y_;
    std::int64_t size;
    int p;
    std::int64_t column(std::int64_t place) const { return place * size; }
    T W(std::int64_t at) const { return W_[at]; }
    T X(std::int64_t place, int c) const { return X_[place * p + c]; }
    T y(std::int64_t place) const { return y_[place]; }
};

// Adds C Upsilon to hX and C omega to h.
template <class T, class A, class Source>
void gather_vectors(const A *C, const std::int32_t *map, int K, int width, const Source &from, int p, T *hX, T *h) {
    for (int c = 0; c < width; ++c) {
        const std::int64_t place = map[c];
        const T omega = from.y(place);
        for (int a = 0; a < K; ++a) {
            const A x = C[static_cast<std::size_t>(a) * width + c];
            h[a] += x * omega;
            for (int e = 0; e < p; ++e) hX[a * p + e] += x * from.X(place, e);
        }
    }
}

// Adds C W C' to Q1, C Upsilon to hX and C omega to h.
template <int KK, class T, class A, class Source>
void gather(const A *C, const std::int32_t *map, int k, int width, const Source &from, int p, T *Q1, T *tmp, T *hX, T *h) {
    const int K = KK ? KK : k;
    gather_vectors(C, map, K, width, from, p, hX, h);
    for (int c = 0; c < width; ++c) {
        const std::int64_t place = map[c], column = from.column(place);
        // From the triangle c <= e: half the diagonal, then both orders of every product.
        for (int a = 0; a < K; ++a) {
            const A *row = C + static_cast<std::size_t>(a) * width;
            T sum = from.W(column + place) * T(row[c]) * T(0.5);
            for (int e = c + 1; e < width; ++e) sum += from.W(column + map[e]) * row[e];
            tmp[a] = sum;
        }
        for (int a = 0; a < K; ++a)
            for (int b = 0; b < K; ++b)
                Q1[a * K + b] += C[static_cast<std::size_t>(a) * width + c] * tmp[b] + C[static_cast<std::size_t>(b) * width + c] * tmp[a];
    }
}

}  // namespace

template <>
bool Sweep<double>::collect_crowded() {
    const Stage &stage = plan_.stages[0];
    if (!stage.crowded || stage.k > 64) return false;
    const int K = stage.k, Q = static_cast<int>(plan_.Q);
    collected_.assign(static_cast<std::size_t>(stage.n_nodes) * K * K, 0.0);
    std::vector<double> CW, W = root.K.v;  // mirrored: the product of symmetric matrices always calls on all threads
    for (int c = 0; c < Q; ++c)
        for (int r = 0; r < c; ++r) W[static_cast<std::size_t>(c) * Q + r] = W[static_cast<std::size_t>(r) * Q + c];
    for_each_panel(stage, plan_.Q, stage.C.data(), [&](const std::vector<double> &panel, int filled, int most, int first) {
        CW.resize(panel.size());
        blas::gemm('N', 'N', filled, Q, Q, 1.0, panel.data(), most, W.data(), Q, 0.0, CW.data(), most);
        for (int j = first; j < first + filled / K; ++j)
            for (int a = 0; a < K; ++a)
                for (int b = 0; b < K; ++b) {
                    const std::size_t x = static_cast<std::size_t>(j - first) * K;
                    double sum = 0.0;
                    for (int c = 0; c < Q; ++c) sum += CW[static_cast<std::size_t>(c) * most + x + a] * panel[static_cast<std::size_t>(c) * most + x + b];
                    collected_[(static_cast<std::size_t>(j) * K + a) * K + b] = sum;
                }
    });
    return true;
}
template <>
bool Sweep<Dual>::collect_crowded() {
    return false;
}

template <class T>
void Sweep<T>::collect() {
    if (collect_crowded()) return;
    const Stage &stage = plan_.stages[0];
    const int K = stage.k, n_parts = static_cast<int>(stage.halves.size()) - 1;
    const std::int64_t Q = plan_.Q;
    const std::size_t size = static_cast<std::size_t>(stage.n_nodes) * K * K;
    std::vector<std::vector<T>> parts(n_parts);
    for_each_task(n_parts, workspace_ ? workspace_->n_threads : 1, [&](int part) {
        parts[part].assign(size, T(0.0));
        std::vector<T> t(K);
        for (std::int64_t column = stage.halves[part]; column < stage.halves[part + 1]; ++column)
            for (std::int64_t at = stage.column_start[column]; at < stage.column_start[column + 1]; ++at) {
                const int j = stage.node[at], width = stage.width(j);
                const std::int32_t *map = &stage.map[stage.start[j]];
                const int c = static_cast<int>(stage.place[at] - stage.start[j]);
                const double *C = &stage.C[static_cast<std::size_t>(K) * stage.start[j]];
                T *out = &parts[part][static_cast<std::size_t>(j) * K * K];
                // From the triangle c <= e: half the diagonal, then both orders of every product.
                for (int a = 0; a < K; ++a) {
                    const double *row = C + static_cast<std::size_t>(a) * width;
                    T sum = root.K.get(column * Q + column) * (0.5 * row[c]);
                    for (int e = c + 1; e < width; ++e) sum += root.K.get(column * Q + map[e]) * row[e];
                    t[a] = sum;
                }
                for (int a = 0; a < K; ++a)
                    for (int b = 0; b < K; ++b)
                        out[a * K + b] += C[static_cast<std::size_t>(a) * width + c] * t[b] + C[static_cast<std::size_t>(b) * width + c] * t[a];
            }
    });
    collected_ = std::move(parts[0]);
    for (int part = 1; part < n_parts; ++part)
        for (std::size_t x = 0; x < size; ++x) collected_[x] += parts[part][x];
}

template <class T>
void Sweep<T>::down(bool want_variances) {
    const std::size_t F = plan_.blocks.size();
    modes.resize(F);
    s.resize(F);
    UVU.resize(F);
    ss.resize(F);
    if (want_variances) variances.resize(F);
    if (want_UU) UU.resize(F);
    root.differentiate(plan_, factors_);
    H = root.H;
    H.resize(F);
    for (std::size_t f = 0; f < F; ++f) {
        const std::size_t k = plan_.blocks[f].k, q = static_cast<std::size_t>(plan_.blocks[f].n_levels) * k;
        modes[f].resize(q);
        s[f].resize(q);
        if (want_variances) variances[f].resize(q * k);
        UVU[f].assign(k * k, T(0.0));
        if (want_UU) UU[f].assign(k * k * p_ * p_, T(0.0));
        ss[f].assign(k * k, T(0.0));
        H[f].resize(k * k, T(0.0));
    }
    const std::int64_t Q = plan_.Q;
    for (int g : plan_.dense) {
        const int k = plan_.blocks[g].k;
        std::vector<T> VU(static_cast<std::size_t>(k) * p_), own(VU);
        for (int j = 0; j < plan_.blocks[g].n_levels; ++j) {
            const std::int64_t at = plan_.offset[g] + static_cast<std::int64_t>(j) * k;
            for (int a = 0; a < k; ++a) {
                modes[g][static_cast<std::size_t>(j) * k + a] = root.modes[at + a];
                s[g][static_cast<std::size_t>(j) * k + a] = root.s[at + a];
                for (int c = 0; c < p_; ++c) {
                    T sum(0.0);
                    for (int e = 0; e < p_; ++e) sum += root.XVX_inverse[c * p_ + e] * root.U[e * Q + at + a];
                    VU[static_cast<std::size_t>(a) * p_ + c] = sum;
                }
            }
            if (want_UU) {
                for (int a = 0; a < k; ++a)
                    for (int c = 0; c < p_; ++c) own[static_cast<std::size_t>(a) * p_ + c] = root.U[c * Q + at + a];
                add_UU(g, k, own.data());
            }
            for (int a = 0; a < k; ++a)
                for (int b = 0; b < k; ++b) {
                    ss[g][a * k + b] += root.s[at + a] * root.s[at + b];
                    for (int c = 0; c < p_; ++c) UVU[g][a * k + b] += root.U[c * Q + at + a] * VU[static_cast<std::size_t>(b) * p_ + c];
                    if (want_variances)
                        variances[g][(static_cast<std::size_t>(j) * k + a) * k + b] =
                            root.K.get((at + std::min(a, b)) * Q + at + std::max(a, b));
                }
        }
    }
    if (by_column_) collect();
    const int top = static_cast<int>(plan_.stages.size()) - 1;
    for (int j = 0; j < plan_.stages[top].n_nodes; ++j) descend(top, j, want_variances);
}

template <class T>
void Sweep<T>::add_UU(int block, int k, const T *U) {
    T *out = UU[block].data();
    for (int a = 0; a < k; ++a)
        for (int b = 0; b < k; ++b)
            for (int c = 0; c < p_; ++c)
                for (int e = 0; e < p_; ++e) *out++ += U[a * p_ + c] * U[b * p_ + e];
}

template <class T>
void Sweep<T>::descend(int s, int j, bool want_variances) {
    const Stage &stage = plan_.stages[s];
    const Block &block = plan_.blocks[stage.block];
    const std::size_t k = stage.k, at = static_cast<std::size_t>(j) * k;
    auto run = [&]<class A>(const A *C, const A *CX, const A *Cy) {
        switch (stage.k) {
            case 1: differentiate<1>(s, j, want_variances, C, CX, Cy); break;
            case 2: differentiate<2>(s, j, want_variances, C, CX, Cy); break;
            case 3: differentiate<3>(s, j, want_variances, C, CX, Cy); break;
            default: differentiate<0>(s, j, want_variances, C, CX, Cy);
        }
    };
    if (s == 0) {
        run(stage.C.data() + k * stage.start[j], block.ZX.data() + at * p_, response_.Zy[stage.block].data() + at);
        return;
    }
    Level &level = levels_[s];
    run(level.C.data() + k * stage.start[j], level.CX.data() + at * p_, level.Cy.data() + at);
    for (std::int64_t c = stage.child_start[j]; c < stage.child_start[j + 1]; ++c) descend(s - 1, stage.child[c], want_variances);
}

template <class T>
template <int KK, class A>
void Sweep<T>::differentiate(int s, int j, bool want_variances, const A *C, const A *CX, const A *Cy) {
    const Stage &stage = plan_.stages[s];
    const int K = KK ? KK : stage.k, f = stage.block, width = stage.width(j);
    const Level &level = levels_[s];
    const T *Km = &level.K[static_cast<std::size_t>(j) * K * K], *N = &level.N[static_cast<std::size_t>(j) * K * K],
            *H0 = &level.H0[static_cast<std::size_t>(j) * K * K];
    const std::int32_t *map = width ? &stage.map[stage.start[j]] : nullptr;
    scratch_.resize(static_cast<std::size_t>(4) * K * K + static_cast<std::size_t>(3) * K * p_ + 3 * K);
    T *Q1 = scratch_.data(), *t = Q1 + K * K, *Hj = t + K * K, *hX = Hj + 2 * K * K, *U = hX + K * p_, *VU = U + K * p_,
      *h = VU + K * p_, *sj = h + K, *tmp = sj + K;
    for (int a = 0; a < K; ++a) {
        T sum(Cy[a]);
        for (int c = 0; c < p_; ++c) {
            hX[a * p_ + c] = T(CX[a * p_ + c]);
            sum -= CX[a * p_ + c] * root.beta[c];
        }
        h[a] = sum;
    }
    for (int x = 0; x < K * K; ++x) Q1[x] = T(0.0);
    if (width > 0) {
        if (by_column_) {
            gather_vectors(C, map, K, width, FromRoot<T>{root, plan_.Q}, p_, hX, h);
            std::copy_n(&collected_[static_cast<std::size_t>(j) * K * K], K * K, Q1);
        } else if (stage.parent.empty())
            gather<KK>(C, map, K, width, FromRoot<T>{root, plan_.Q}, p_, Q1, tmp, hX, h);
        else
            gather<KK>(C, map, K, width, FromFront<T>{levels_[s + 1].W.data(), levels_[s + 1].WX.data(), levels_[s + 1].Wy.data(), plan_.stages[s + 1].k + plan_.stages[s + 1].width(stage.parent[j]), p_}, p_, Q1, tmp, hX, h);
    }
    for (int a = 0; a < K; ++a) {
        T sum(0.0), mode(0.0);
        for (int b = 0; b < K; ++b) {
            sum += N[b * K + a] * h[b];
            mode += Km[a * K + b] * h[b];
        }
        sj[a] = sum;
        s_at(f, j, K)[a] = sum;
        modes[f][static_cast<std::size_t>(j) * K + a] = mode;
        for (int c = 0; c < p_; ++c) {
            T u(0.0);
            for (int b = 0; b < K; ++b) u += N[b * K + a] * hX[b * p_ + c];
            U[a * p_ + c] = u;
        }
    }
    for (int a = 0; a < K; ++a)
        for (int c = 0; c < p_; ++c) {
            T sum(0.0);
            for (int e = 0; e < p_; ++e) sum += root.XVX_inverse[c * p_ + e] * U[a * p_ + e];
            VU[a * p_ + c] = sum;
        }
    for (int a = 0; a < K; ++a)
        for (int b = 0; b < K; ++b) Hj[a * K + b] = H0[a * K + b];
    if (width > 0) {
        for (int a = 0; a < K; ++a)
            for (int b = 0; b < K; ++b) {
                T sum(0.0);
                for (int c = 0; c < K; ++c) sum += Q1[a * K + c] * N[c * K + b];
                t[a * K + b] = sum;
            }
        for (int a = 0; a < K; ++a)
            for (int b = 0; b < K; ++b)
                for (int c = 0; c < K; ++c) Hj[a * K + b] -= N[c * K + a] * t[c * K + b];
    }
    for (int a = 0; a < K; ++a)
        for (int b = 0; b < K; ++b) {
            H[f][a * K + b] += Hj[a * K + b];
            ss[f][a * K + b] += sj[a] * sj[b];
            T sum(0.0);
            for (int c = 0; c < p_; ++c) sum += U[a * p_ + c] * VU[b * p_ + c];
            UVU[f][a * K + b] += sum;
        }
    if (want_UU) add_UU(f, K, U);
    if (want_variances) {  // K + K (C W C') K
        T *V = &variances[f][static_cast<std::size_t>(j) * K * K];
        for (int a = 0; a < K; ++a)
            for (int b = 0; b < K; ++b) {
                T sum(0.0);
                for (int c = 0; c < K; ++c) sum += Q1[a * K + c] * Km[c * K + b];
                t[a * K + b] = sum;
            }
        for (int a = 0; a < K; ++a)
            for (int b = 0; b < K; ++b) {
                T sum = Km[a * K + b];
                for (int c = 0; c < K; ++c) sum += Km[a * K + c] * t[c * K + b];
                V[a * K + b] = sum;
            }
    }
    if (s > 0) hand_down(s, j, C, Q1, hX, h);
}

// W, Upsilon and omega on this node's front: its own columns first, then its packed columns.
template <class T>
template <class A>
void Sweep<T>::hand_down(int s, int j, const A *C, const T *Q1, const T *hX, const T *h) {
    const Stage &stage = plan_.stages[s];
    const int K = stage.k, width = stage.width(j), n = K + width;
    Level &level = levels_[s];
    const T *Km = &level.K[static_cast<std::size_t>(j) * K * K];
    const std::int32_t *map = width ? &stage.map[stage.start[j]] : nullptr;
    const bool at_root = stage.parent.empty();
    const Level *up = at_root ? nullptr : &levels_[s + 1];
    const std::int64_t Q = plan_.Q;
    const int front = at_root ? 0 : plan_.stages[s + 1].k + plan_.stages[s + 1].width(stage.parent[j]);
    auto above = [&](int a, int b) {
        const std::int64_t x = map[std::min(a, b)], y = map[std::max(a, b)];
        return at_root ? root.K.get(x * Q + y) : up->W[x * front + y];
    };
    level.W.assign(static_cast<std::size_t>(n) * n, T(0.0));
    level.WX.assign(static_cast<std::size_t>(n) * p_, T(0.0));
    level.Wy.assign(n, T(0.0));
    std::vector<T> CW(static_cast<std::size_t>(K) * width, T(0.0));
    for (int c = 0; c < width; ++c)
        for (int e = 0; e < width; ++e) {
            const T x = above(c, e);
            for (int a = 0; a < K; ++a) CW[static_cast<std::size_t>(a) * width + e] += C[static_cast<std::size_t>(a) * width + c] * x;
        }
    for (int a = 0; a < K; ++a)
        for (int b = 0; b < K; ++b) {
            T sum = Km[a * K + b];
            for (int c = 0; c < K; ++c)
                for (int e = 0; e < K; ++e) sum += Km[a * K + c] * Q1[c * K + e] * Km[e * K + b];
            level.W[static_cast<std::size_t>(a) * n + b] = sum;
        }
    for (int c = 0; c < width; ++c) {
        for (int a = 0; a < K; ++a) {
            T sum(0.0);
            for (int b = 0; b < K; ++b) sum += Km[a * K + b] * CW[static_cast<std::size_t>(b) * width + c];
            level.W[static_cast<std::size_t>(a) * n + K + c] = -sum;
            level.W[static_cast<std::size_t>(K + c) * n + a] = -sum;
        }
        for (int e = 0; e < width; ++e) level.W[static_cast<std::size_t>(K + c) * n + K + e] = above(c, e);
        level.Wy[K + c] = at_root ? -root.modes[map[c]] : up->Wy[map[c]];
        for (int x = 0; x < p_; ++x)
            level.WX[static_cast<std::size_t>(K + c) * p_ + x] =
                at_root ? root.Upsilon[x * Q + map[c]] : up->WX[static_cast<std::size_t>(map[c]) * p_ + x];
    }
    for (int a = 0; a < K; ++a)
        for (int b = 0; b < K; ++b) {
            level.Wy[a] -= Km[a * K + b] * h[b];
            for (int x = 0; x < p_; ++x) level.WX[static_cast<std::size_t>(a) * p_ + x] -= Km[a * K + b] * hX[b * p_ + x];
        }
}

// s and mode of a level from the modes of what lies further up (`front`: by its packed columns), and those of its children.
template <class T>
template <class A>
void Sweep<T>::solve_level(int s, int j, const A *C, const A *CX, const A *Cy, const T *front) {
    const Stage &stage = plan_.stages[s];
    const int K = stage.k, f = stage.block, width = stage.width(j);
    const Level &level = levels_[s];
    const T *Km = &level.K[static_cast<std::size_t>(j) * K * K], *N = &level.N[static_cast<std::size_t>(j) * K * K];
    std::vector<T> h(K);
    for (int a = 0; a < K; ++a) {
        T sum(Cy[a]);
        for (int c = 0; c < p_; ++c) sum -= CX[a * p_ + c] * root.beta[c];
        for (int c = 0; c < width; ++c) sum -= C[static_cast<std::size_t>(a) * width + c] * front[c];
        h[a] = sum;
    }
    for (int a = 0; a < K; ++a) {
        T left(0.0), mode(0.0);
        for (int b = 0; b < K; ++b) {
            left += N[b * K + a] * h[b];
            mode += Km[a * K + b] * h[b];
        }
        s_at(f, j, K)[a] = left;
        modes[f][static_cast<std::size_t>(j) * K + a] = mode;
    }
    if (s == 0) return;
    std::vector<T> own(K + width);  // the node's front: its own columns first, then its packed ones
    for (int a = 0; a < K; ++a) own[a] = modes[f][static_cast<std::size_t>(j) * K + a];
    std::copy(front, front + width, own.begin() + K);
    for (std::int64_t c = stage.child_start[j]; c < stage.child_start[j + 1]; ++c) solve_below(s - 1, stage.child[c], own.data());
}

template <class T>
void Sweep<T>::solve_below(int s, int j, const T *above) {
    const Stage &stage = plan_.stages[s];
    const Block &block = plan_.blocks[stage.block];
    const std::size_t k = stage.k, at = static_cast<std::size_t>(j) * k;
    const int width = stage.width(j);
    std::vector<T> front(width);
    for (int c = 0; c < width; ++c) front[c] = above[stage.map[stage.start[j] + c]];
    if (s == 0) {
        solve_level(s, j, stage.C.data() + k * stage.start[j], block.ZX.data() + at * p_, response_.Zy[stage.block].data() + at, front.data());
        return;
    }
    const Level &level = levels_[s];
    solve_level(s, j, level.C.data() + k * stage.start[j], level.CX.data() + at * p_, level.Cy.data() + at, front.data());
}

template <class T>
void Sweep<T>::solve() {
    modes.resize(plan_.blocks.size());
    s.resize(plan_.blocks.size());
    for (std::size_t f = 0; f < plan_.blocks.size(); ++f) {
        const std::size_t q = static_cast<std::size_t>(plan_.blocks[f].n_levels) * plan_.blocks[f].k;
        modes[f].resize(q);
        s[f].resize(q);
    }
    root.residual(plan_);
    for (int g : plan_.dense) {
        const std::size_t q = static_cast<std::size_t>(plan_.blocks[g].n_levels) * plan_.blocks[g].k;
        std::copy_n(&root.modes[plan_.offset[g]], q, modes[g].begin());
        std::copy_n(&root.s[plan_.offset[g]], q, s[g].begin());
    }
    const int top = static_cast<int>(plan_.stages.size()) - 1;
    for (int j = 0; j < plan_.stages[top].n_nodes; ++j) solve_below(top, j, root.modes.data());
}

template void Sweep<double>::solve();
template void Sweep<double>::down(bool);
template void Sweep<Dual>::down(bool);

}  // namespace me
