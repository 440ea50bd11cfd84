// Modes under another response, from a factor that is there: up the forest with one vector, the root, and down again.
#include <algorithm>

#include "core/blas.hpp"
#include "core/sweep.hpp"

namespace me {
namespace {

// Where a packed column of a node leads in the next stage: into its parent's own columns, or beyond them.
double &at_parent(const Stage &stage, const Stage &next, int node, std::int32_t place, std::vector<double> &own,
                  std::vector<double> &beyond) {
    const std::size_t parent = stage.parent[node];
    return place < next.k ? own[parent * next.k + place] : beyond[next.start[parent] + place - next.k];
}

}  // namespace

template <>
Effects Sweep<double>::respond(const Response &response) const {
    const std::size_t n_stages = plan_.stages.size();
    const int Q = static_cast<int>(plan_.Q);
    std::vector<std::vector<double>> h(n_stages), beyond(n_stages);
    for (std::size_t s = 0; s < n_stages; ++s) {
        h[s] = response.Zy[plan_.stages[s].block];
        if (s > 0) beyond[s].assign(plan_.stages[s].start.back(), 0.0);
    }
    std::vector<double> y, Xy = response.Xy, Kh;
    for (int g : plan_.dense) y.insert(y.end(), response.Zy[g].begin(), response.Zy[g].end());
    auto C = [&](std::size_t s, int j) { return (s == 0 ? plan_.stages[0].C.data() : levels_[s].C.data()) + static_cast<std::size_t>(plan_.stages[s].k) * plan_.stages[s].start[j]; };
    auto CX = [&](std::size_t s, int j) {
        const Stage &stage = plan_.stages[s];
        return (s == 0 ? plan_.blocks[stage.block].ZX.data() : levels_[s].CX.data()) + static_cast<std::size_t>(j) * stage.k * p_;
    };
    for (std::size_t s = 0; s < n_stages; ++s) {
        const Stage &stage = plan_.stages[s];
        const int k = stage.k;
        const bool at_root = stage.parent.empty();
        Kh.resize(k);
        for (int j = 0; j < stage.n_nodes; ++j) {
            const double *K = &levels_[s].K[static_cast<std::size_t>(j) * k * k], *own = &h[s][static_cast<std::size_t>(j) * k];
            for (int a = 0; a < k; ++a) {
                Kh[a] = 0.0;
                for (int b = 0; b < k; ++b) Kh[a] += K[a * k + b] * own[b];
                for (int c = 0; c < p_; ++c) Xy[c] -= CX(s, j)[a * p_ + c] * Kh[a];
            }
            const int width = stage.width(j);
            const double *Cj = C(s, j);
            for (int c = 0; c < width; ++c) {
                double value = s > 0 ? beyond[s][stage.start[j] + c] : 0.0;
                for (int a = 0; a < k; ++a) value -= Cj[static_cast<std::size_t>(a) * width + c] * Kh[a];
                const std::int32_t place = stage.map[stage.start[j] + c];
                (at_root ? y[place] : at_parent(stage, plan_.stages[s + 1], j, place, h[s + 1], beyond[s + 1])) += value;
            }
        }
    }
    Effects out;
    out.beta.assign(p_, 0.0);
    for (int c = 0; c < p_; ++c)
        for (int r = 0; r < Q; ++r) Xy[c] += root.Upsilon[static_cast<std::size_t>(c) * Q + r] * y[r];
    for (int a = 0; a < p_; ++a)
        for (int c = 0; c < p_; ++c) out.beta[a] += root.XVX_inverse[a * p_ + c] * Xy[c];
    std::vector<double> b(Q, 0.0), rest = y;  // K (y - AX beta), and what A b leaves of y - AX beta
    if (Q > 0) blas::symm_left(Q, 1, 1.0, root.K.v.data(), Q, y.data(), Q, 0.0, b.data(), Q);
    for (int c = 0; c < p_; ++c)
        for (int r = 0; r < Q; ++r) {
            b[r] += root.Upsilon[static_cast<std::size_t>(c) * Q + r] * out.beta[c];
            rest[r] -= root.AX[static_cast<std::size_t>(c) * Q + r] * out.beta[c];
        }
    if (Q > 0) blas::symm_left(Q, 1, -1.0, root.A.v.data(), Q, b.data(), Q, 1.0, rest.data(), Q);
    out.modes.resize(plan_.blocks.size());
    out.s.resize(plan_.blocks.size());
    for (int g : plan_.dense) {
        const std::int64_t first = plan_.offset[g], size = static_cast<std::int64_t>(plan_.blocks[g].n_levels) * plan_.blocks[g].k;
        out.modes[g].assign(b.begin() + first, b.begin() + first + size);
        out.s[g].assign(rest.begin() + first, rest.begin() + first + size);
    }
    for (std::size_t s = n_stages; s-- > 0;) {
        const Stage &stage = plan_.stages[s];
        const int k = stage.k;
        const bool at_root = stage.parent.empty();
        auto &modes_here = out.modes[stage.block], &s_here = out.s[stage.block];
        modes_here.assign(h[s].size(), 0.0);
        s_here.assign(h[s].size(), 0.0);
        for (int j = 0; j < stage.n_nodes; ++j) {
            const std::size_t at = static_cast<std::size_t>(j) * k;
            const int width = stage.width(j);
            const double *Cj = C(s, j), *K = &levels_[s].K[at * k], *N = &levels_[s].N[at * k];
            double *own = &h[s][at];
            for (int c = 0; c < width; ++c) {
                const std::int32_t place = stage.map[stage.start[j] + c];
                const double value = at_root ? b[place] : at_parent(stage, plan_.stages[s + 1], j, place, out.modes[plan_.stages[s + 1].block], beyond[s + 1]);
                if (s > 0) beyond[s][stage.start[j] + c] = value;  // from here on the modes that the columns belong to
                for (int a = 0; a < k; ++a) own[a] -= Cj[static_cast<std::size_t>(a) * width + c] * value;
            }
            for (int a = 0; a < k; ++a)
                for (int c = 0; c < p_; ++c) own[a] -= CX(s, j)[a * p_ + c] * out.beta[c];
            for (int a = 0; a < k; ++a)
                for (int e = 0; e < k; ++e) {
                    modes_here[at + a] += K[a * k + e] * own[e];
                    s_here[at + a] += N[e * k + a] * own[e];
                }
        }
    }
    return out;
}

}  // namespace me
