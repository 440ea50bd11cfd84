#include "core/fitted_variances.hpp"

#include <algorithm>

#include "core/blas.hpp"
#include "core/panel.hpp"

namespace me {
namespace {

// C K_root of every node, packed as C, from the lower triangle of K_root.
void times_root(const Stage &stage, std::int64_t Q, const std::vector<double> &root, std::vector<double> &CK) {
    const int k = stage.k;
    CK.assign(stage.C.size(), 0.0);
    if (stage.crowded) {
        std::vector<double> full(root), product;
        for (std::int64_t c = 0; c < Q; ++c)
            for (std::int64_t r = 0; r < c; ++r) full[c * Q + r] = full[r * Q + c];
        const int q = static_cast<int>(Q);
        for_each_panel(stage, Q, stage.C.data(), [&](const std::vector<double> &panel, int filled, int most, int first) {
            product.resize(panel.size());
            blas::gemm('N', 'N', filled, q, q, 1.0, panel.data(), most, full.data(), q, 0.0, product.data(), most);
            for (int j = first; j < first + filled / k; ++j)
                for (int a = 0; a < k; ++a) {
                    const int width = stage.width(j);
                    double *to = &CK[static_cast<std::size_t>(k) * stage.start[j] + static_cast<std::size_t>(a) * width];
                    const double *row = &product[static_cast<std::size_t>(j - first) * k + a];
                    for (int c = 0; c < width; ++c) to[c] = row[static_cast<std::size_t>(stage.map[stage.start[j] + c]) * most];
                }
        });
        return;
    }
    for (int j = 0; j < stage.n_nodes; ++j) {
        const int width = stage.width(j);
        const std::size_t at = static_cast<std::size_t>(k) * stage.start[j];
        const double *C = stage.C.data() + at;
        const std::int32_t *map = stage.map.data() + stage.start[j];
        for (int c = 0; c < width; ++c) {
            const double *column = root.data() + map[c] * Q;  // map ascends: what follows c lies below the diagonal
            for (int a = 0; a < k; ++a) {
                const double *Ca = C + static_cast<std::size_t>(a) * width;
                double *to = &CK[at + static_cast<std::size_t>(a) * width];
                double sum = column[map[c]] * Ca[c];
                const double x = Ca[c];
                for (int e = c + 1; e < width; ++e) {
                    const double value = column[map[e]];
                    sum += value * Ca[e];
                    to[e] += value * x;
                }
                to[c] += sum;
            }
        }
    }
}

double lower(const std::vector<double> &K, std::int64_t Q, std::int64_t a, std::int64_t b) {
    return a < b ? K[a * Q + b] : K[b * Q + a];
}

// The same sums as in compute() where every block has one column.
void scalar_rows(const Plan &plan, const WorkingRows &rows, const std::vector<std::vector<std::int32_t>> &place,
                 const std::vector<double> &V, const std::vector<double> &T, const std::vector<double> &root, double *out) {
    const Stage &stage = plan.stages[0];
    const std::int64_t Q = plan.Q;
    const std::int32_t *nodes = rows.codes[stage.block];
    const double *z = rows.Z[stage.block];
    for (std::int64_t r = 0; r < rows.n; ++r) out[r] = V[nodes[r]] * z[r] * z[r];
    for (std::size_t x = 0; x < plan.dense.size(); ++x) {
        const int g = plan.dense[x];
        const double *zg = rows.Z[g];
        std::vector<double> diagonal(plan.blocks[g].n_levels);
        for (std::size_t j = 0; j < diagonal.size(); ++j) diagonal[j] = root[(plan.offset[g] + static_cast<std::int64_t>(j)) * (Q + 1)];
        for (std::int64_t r = 0; r < rows.n; ++r)
            out[r] += zg[r] * (2.0 * z[r] * T[stage.start[nodes[r]] + place[x][r]] + zg[r] * diagonal[rows.codes[g][r]]);
        for (std::size_t w = x + 1; w < plan.dense.size(); ++w) {
            const int h = plan.dense[w];
            for (std::int64_t r = 0; r < rows.n; ++r)
                out[r] += 2.0 * zg[r] * rows.Z[h][r] * lower(root, Q, plan.offset[g] + rows.codes[g][r], plan.offset[h] + rows.codes[h][r]);
        }
    }
}

// The same where there is no dense block.
template <int KK>
void own_rows(const WorkingRows &rows, int block, int k, const std::vector<double> &V, double *out) {
    const int K = KK ? KK : k;
    const std::int32_t *nodes = rows.codes[block];
    for (std::int64_t r = 0; r < rows.n; ++r) {
        const double *z = rows.Z[block] + r * K, *Vj = &V[static_cast<std::size_t>(nodes[r]) * K * K];
        double sum = 0.0;
        for (int a = 0; a < K; ++a) {
            double inner = 0.5 * Vj[a * K + a] * z[a];
            for (int b = 0; b < a; ++b) inner += Vj[a * K + b] * z[b];
            sum += z[a] * inner;
        }
        out[r] = 2.0 * sum;
    }
}

}  // namespace

FittedVariances::FittedVariances(const Plan &plan, const WorkingRows &rows) {
    if (plan.stages.size() != 1) return;
    const Stage &stage = plan.stages[0];
    const std::int32_t *nodes = rows.codes[stage.block];
    for (int g : plan.dense) {
        std::vector<std::int32_t> places(rows.n);
        for (std::int64_t r = 0; r < rows.n; ++r) {
            const std::int32_t *map = stage.map.data() + stage.start[nodes[r]];
            const std::int64_t first = plan.offset[g] + static_cast<std::int64_t>(rows.codes[g][r]) * plan.blocks[g].k;
            places[r] = static_cast<std::int32_t>(std::lower_bound(map, map + stage.width(nodes[r]), static_cast<std::int32_t>(first)) - map);
        }
        place_.push_back(std::move(places));
    }
}

// With T = -K C K_root and V = K + K C K_root C'K of a node: z'Vz + 2 z'T z_root + z_root'K_root z_root.
void FittedVariances::compute(const Plan &plan, const Sweep<double> &sweep, const WorkingRows &rows, double *out) const {
    const Stage &stage = plan.stages[0];
    const int k = stage.k;
    const std::int64_t Q = plan.Q;
    const auto &K = sweep.eliminated(0).K;
    const auto &root = sweep.root.K.v;
    std::vector<double> T, V(K.begin(), K.end()), CKC(static_cast<std::size_t>(k) * k), t(k);
    if (Q > 0) times_root(stage, Q, root, T);
    for (int j = 0; j < stage.n_nodes; ++j) {
        const int width = stage.width(j);
        if (width == 0) continue;
        const std::size_t at = static_cast<std::size_t>(k) * stage.start[j];
        const double *C = stage.C.data() + at, *Kj = &K[static_cast<std::size_t>(j) * k * k];
        double *Tj = &T[at], *Vj = &V[static_cast<std::size_t>(j) * k * k];
        for (int a = 0; a < k; ++a)
            for (int b = 0; b < k; ++b) {
                double sum = 0.0;
                for (int c = 0; c < width; ++c) sum += Tj[static_cast<std::size_t>(a) * width + c] * C[static_cast<std::size_t>(b) * width + c];
                CKC[a * k + b] = sum;
            }
        for (int a = 0; a < k; ++a)
            for (int b = 0; b < k; ++b)
                for (int e = 0; e < k; ++e)
                    for (int f = 0; f < k; ++f) Vj[a * k + b] += Kj[a * k + e] * CKC[e * k + f] * Kj[f * k + b];
        for (int c = 0; c < width; ++c) {
            for (int a = 0; a < k; ++a) {
                t[a] = 0.0;
                for (int b = 0; b < k; ++b) t[a] -= Kj[a * k + b] * Tj[static_cast<std::size_t>(b) * width + c];
            }
            for (int a = 0; a < k; ++a) Tj[static_cast<std::size_t>(a) * width + c] = t[a];
        }
    }
    if (plan.dense.empty()) {
        (k == 1 ? own_rows<1> : k == 2 ? own_rows<2> : k == 3 ? own_rows<3> : own_rows<0>)(rows, stage.block, k, V, out);
        return;
    }
    if (std::all_of(plan.blocks.begin(), plan.blocks.end(), [](const Block &block) { return block.k == 1; })) {
        scalar_rows(plan, rows, place_, V, T, root, out);
        return;
    }
    const std::int32_t *nodes = rows.codes[stage.block];
    for (std::int64_t r = 0; r < rows.n; ++r) {
        const std::int32_t j = nodes[r];
        const double *z = rows.Z[stage.block] + r * k, *Vj = &V[static_cast<std::size_t>(j) * k * k];
        const int width = stage.width(j);
        double sum = 0.0;
        for (int a = 0; a < k; ++a)
            for (int b = 0; b < k; ++b) sum += Vj[a * k + b] * z[a] * z[b];
        for (std::size_t x = 0; x < plan.dense.size(); ++x) {
            const int g = plan.dense[x], kg = plan.blocks[g].k;
            const std::int64_t first = plan.offset[g] + static_cast<std::int64_t>(rows.codes[g][r]) * kg;
            const double *zg = rows.Z[g] + r * kg, *Tj = &T[static_cast<std::size_t>(k) * stage.start[j] + place_[x][r]];
            for (int b = 0; b < kg; ++b) {
                for (int a = 0; a < k; ++a) sum += 2.0 * z[a] * Tj[static_cast<std::size_t>(a) * width + b] * zg[b];
                for (int c = 0; c < kg; ++c) sum += zg[b] * zg[c] * lower(root, Q, first + b, first + c);
            }
            for (std::size_t w = x + 1; w < plan.dense.size(); ++w) {
                const int h = plan.dense[w], kh = plan.blocks[h].k;
                const std::int64_t other = plan.offset[h] + static_cast<std::int64_t>(rows.codes[h][r]) * kh;
                const double *zh = rows.Z[h] + r * kh;
                for (int b = 0; b < kg; ++b)
                    for (int c = 0; c < kh; ++c) sum += 2.0 * zg[b] * zh[c] * lower(root, Q, first + b, other + c);
            }
        }
        out[r] = sum;
    }
}

}  // namespace me
