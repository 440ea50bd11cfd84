#include "core/inner_products.hpp"

#include <algorithm>

#include "core/blas.hpp"

namespace me {

InnerProducts::InnerProducts(const Plan &plan, const Sweep<double> &sweep, const Factors<double> &factors,
                             const std::vector<std::vector<double>> &tangents)
    : plan_(plan), sweep_(sweep), factors_(factors), tangents_(tangents), d_(static_cast<int>(plan.entries.size())) {
    B.assign(static_cast<std::size_t>(d_) * d_, 0.0);
    q.assign(d_, 0.0);
    GX_.assign(static_cast<std::size_t>(d_) * plan.p, 0.0);
    GD_.assign(static_cast<std::size_t>(plan.Q) * d_, 0.0);
    coupling_.resize(plan.stages.size());
    front_.resize(plan.stages.size());
    for (std::size_t s = 1; s < plan.stages.size(); ++s)
        coupling_[s].assign(static_cast<std::size_t>(plan.stages[s].n_nodes) * plan.stages[s].k * d_, 0.0);
    const int top = static_cast<int>(plan.stages.size()) - 1;
    for (int j = 0; j < plan.stages[top].n_nodes; ++j) visit(top, j);
    add_root();
}

void InnerProducts::directions(int block, int level, double *c) {
    const int k = plan_.blocks[block].k;
    const double *s = &sweep_.s[block][static_cast<std::size_t>(level) * k], *Lambda = factors_.Lambda[block].data();
    std::fill(c, c + static_cast<std::size_t>(k) * d_, 0.0);
    for (int e : plan_.entries_of[block]) {
        const int b = plan_.entries[e].column;
        const auto &t = tangents_[e];
        double along = 0.0, across = 0.0;
        for (int a = 0; a < k; ++a) {
            along += Lambda[a * k + b] * s[a];
            across += t[a] * s[a];
        }
        for (int a = 0; a < k; ++a) c[a * d_ + e] = t[a] * along + Lambda[a * k + b] * across;
        q[e] += 2.0 * along * across;
    }
}

void InnerProducts::visit(int s, int j) {
    const Stage &stage = plan_.stages[s];
    const int k = stage.k, f = stage.block, p = plan_.p;
    if (s > 0) {
        front_[s].assign(static_cast<std::size_t>(stage.width(j)) * d_, 0.0);
        for (std::int64_t c = stage.child_start[j]; c < stage.child_start[j + 1]; ++c) visit(s - 1, stage.child[c]);
    }
    const auto &level = sweep_.levels_[s];
    const std::size_t at = static_cast<std::size_t>(j) * k;
    const double *K = &level.K[at * k], *N = &level.N[at * k], *H0 = &level.H0[at * k];
    const double *CX = s > 0 ? level.CX.data() + at * p : plan_.blocks[f].ZX.data() + at * p;
    const auto &own = plan_.entries_of[f];
    c_.resize(static_cast<std::size_t>(k) * d_);
    V_.assign(static_cast<std::size_t>(k) * d_, 0.0);
    t_.assign(static_cast<std::size_t>(k) * d_, 0.0);
    directions(f, j, c_.data());
    for (int e : own)
        for (int a = 0; a < k; ++a)
            for (int b = 0; b < k; ++b) {
                V_[a * d_ + e] += N[a * k + b] * c_[b * d_ + e];
                t_[a * d_ + e] += H0[a * k + b] * c_[b * d_ + e];
            }
    for (int e : own)
        for (int g : own)
            for (int a = 0; a < k; ++a) B[e * d_ + g] += c_[a * d_ + e] * t_[a * d_ + g];
    if (s > 0) {
        const double *D = &coupling_[s][at * d_];
        for (int e : own)
            for (int g = 0; g < d_; ++g) {
                double dot = 0.0;
                for (int a = 0; a < k; ++a) dot += V_[a * d_ + e] * D[a * d_ + g];
                B[e * d_ + g] += dot;
                B[g * d_ + e] += dot;
            }
        std::fill(t_.begin(), t_.end(), 0.0);
        for (int g = 0; g < d_; ++g)
            for (int a = 0; a < k; ++a)
                for (int b = 0; b < k; ++b) t_[a * d_ + g] += K[a * k + b] * D[b * d_ + g];
        for (int e = 0; e < d_; ++e)
            for (int g = 0; g < d_; ++g)
                for (int a = 0; a < k; ++a) B[e * d_ + g] -= D[a * d_ + e] * t_[a * d_ + g];
        for (std::size_t x = 0; x < V_.size(); ++x) V_[x] -= t_[x];
    }
    for (int a = 0; a < k; ++a)
        for (int e = 0; e < d_; ++e) {
            const double v = V_[a * d_ + e];
            if (v == 0.0) continue;
            for (int c = 0; c < p; ++c) GX_[e * p + c] += CX[a * p + c] * v;
        }
    pass_up(s, j, V_.data());
}

void InnerProducts::pass_up(int s, int j, const double *V) {
    const Stage &stage = plan_.stages[s];
    const int k = stage.k, width = stage.width(j);
    if (width == 0) return;
    const std::size_t start = static_cast<std::size_t>(k) * stage.start[j];
    const double *C = s > 0 ? sweep_.levels_[s].C.data() + start : stage.C.data() + start;
    const std::int32_t *map = &stage.map[stage.start[j]];
    const bool at_root = stage.parent.empty();
    const int parent = at_root ? -1 : stage.parent[j], above = at_root ? 0 : plan_.stages[s + 1].k;
    for (int c = 0; c < width; ++c) {
        double *target;
        std::size_t step = 1;
        if (at_root) {
            target = &GD_[map[c]];
            step = static_cast<std::size_t>(plan_.Q);
        } else if (map[c] < above) {
            target = &coupling_[s + 1][(static_cast<std::size_t>(parent) * above + map[c]) * d_];
        } else {
            target = &front_[s + 1][static_cast<std::size_t>(map[c] - above) * d_];
        }
        for (int e = 0; e < d_; ++e) {
            double sum = s > 0 ? front_[s][static_cast<std::size_t>(c) * d_ + e] : 0.0;
            for (int a = 0; a < k; ++a) sum += C[static_cast<std::size_t>(a) * width + c] * V[a * d_ + e];
            target[e * step] += sum;
        }
    }
}

void InnerProducts::add_root() {
    const int p = plan_.p, Q = static_cast<int>(plan_.Q);
    const auto &root = sweep_.root;
    if (Q > 0) {
        std::vector<double> own(static_cast<std::size_t>(Q) * d_, 0.0);  // c_e of the dense entries
        std::vector<bool> dense(d_, false);
        for (int g : plan_.dense) {
            const int k = plan_.blocks[g].k;
            std::vector<double> c(static_cast<std::size_t>(k) * d_);
            for (int e : plan_.entries_of[g]) dense[e] = true;
            for (int j = 0; j < plan_.blocks[g].n_levels; ++j) {
                directions(g, j, c.data());
                for (int e : plan_.entries_of[g])
                    for (int a = 0; a < k; ++a)
                        own[static_cast<std::size_t>(e) * Q + plan_.offset[g] + static_cast<std::int64_t>(j) * k + a] = c[a * d_ + e];
            }
        }
        // Coupling of every w with the dense columns: what came up, plus A c for the dense block's own.
        for (int e = 0; e < d_; ++e)
            if (dense[e])
                blas::symm_left(Q, 1, 1.0, root.A.v.data(), Q, &own[static_cast<std::size_t>(e) * Q], Q, 1.0,
                                &GD_[static_cast<std::size_t>(e) * Q], Q);
        for (int e = 0; e < d_; ++e) {
            if (!dense[e]) continue;
            const double *c = &own[static_cast<std::size_t>(e) * Q];
            for (int g = 0; g < d_; ++g) {
                double dot = 0.0;
                for (int r = 0; r < Q; ++r) dot += c[r] * GD_[static_cast<std::size_t>(g) * Q + r];
                B[e * d_ + g] += dot;
                if (!dense[g]) B[g * d_ + e] += dot;
            }
        }
        std::vector<double> KG(GD_.size());
        blas::symm_left(Q, d_, 1.0, root.K.v.data(), Q, GD_.data(), Q, 0.0, KG.data(), Q);
        for (int e = 0; e < d_; ++e)
            for (int g = 0; g < d_; ++g)
                for (int r = 0; r < Q; ++r) B[e * d_ + g] -= GD_[static_cast<std::size_t>(e) * Q + r] * KG[static_cast<std::size_t>(g) * Q + r];
        for (int e = 0; e < d_; ++e)
            for (int c = 0; c < p; ++c) {
                double dot = 0.0;
                for (int r = 0; r < Q; ++r)
                    dot += root.AX[static_cast<std::size_t>(c) * Q + r] *
                           ((dense[e] ? own[static_cast<std::size_t>(e) * Q + r] : 0.0) - KG[static_cast<std::size_t>(e) * Q + r]);
                GX_[e * p + c] += dot;
            }
    }
    std::vector<double> VG(p);
    for (int e = 0; e < d_; ++e) {
        for (int c = 0; c < p; ++c) {
            VG[c] = 0.0;
            for (int x = 0; x < p; ++x) VG[c] += root.XVX_inverse[c * p + x] * GX_[e * p + x];
        }
        for (int g = 0; g < d_; ++g)
            for (int c = 0; c < p; ++c) B[e * d_ + g] -= VG[c] * GX_[g * p + c];
    }
}

}  // namespace me
