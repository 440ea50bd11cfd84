#include "core/moments.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/eigen.hpp"
#include "core/small.hpp"

namespace me {
namespace {

// Relative variances of the start are kept within these, for columns of unit mean square.
constexpr double least_variance = 0.01, most_variance = 1e12;

double half(const Entry &e) { return e.row == e.column ? 0.5 : 1.0; }

// tr(E_e A E_f B') for matrices with rows of e's block and columns of f's.
double trace(const Entry &e, const Entry &f, const double *A, const double *B, int k) {
    const int a = e.row, b = e.column, c = f.row, d = f.column;
    auto at = [k](const double *m, int i, int j) { return m[i * k + j]; };
    return half(e) * half(f) * (at(A, a, c) * at(B, b, d) + at(A, b, c) * at(B, a, d) + at(A, a, d) * at(B, b, c) + at(A, b, d) * at(B, a, c));
}

void add_traces(const std::vector<Entry> &entries, const std::vector<int> &own, const std::vector<int> &other, const double *A,
                const double *CC, int k, int width, std::vector<double> &out) {
    for (int e : own)
        for (int f : other) out[e * width + f] += trace(entries[e], entries[f], A, A, k) - 2.0 * trace(entries[e], entries[f], A, CC, k);
}

// C_j C_l' for the rows Z_j'X and Z_l'X of two levels.
void outer(const double *Cj, int kj, const double *Cl, int kl, int p, std::vector<double> &out) {
    out.assign(static_cast<std::size_t>(kj) * kl, 0.0);
    for (int a = 0; a < kj; ++a)
        for (int b = 0; b < kl; ++b)
            for (int c = 0; c < p; ++c) out[a * kl + b] += Cj[a * p + c] * Cl[b * p + c];
}

// Residual variance within the levels of the factor that leaves the least, after its own columns; infinite if no factor
// leaves enough degrees of freedom.
double within_variance(const Plan &plan, const Response &response) {
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t f = 0; f < plan.blocks.size(); ++f) {
        const Block &block = plan.blocks[f];
        const int k = block.k;
        double rss = response.yy, df = static_cast<double>(plan.n - plan.p);
        std::vector<double> A(static_cast<std::size_t>(k) * k), s(k);
        for (int j = 0; j < block.n_levels; ++j) {
            const double *from = &block.ZZ[static_cast<std::size_t>(j) * k * k];
            std::copy(from, from + k * k, A.begin());
            for (int a = 0; a < k; ++a) {
                A[a * k + a] *= 1.0 + 1e-9;
                A[a * k + a] += 1e-12;
                s[a] = response.Zy[f][static_cast<std::size_t>(j) * k + a];
            }
            if (!small::cholesky(k, A.data())) continue;
            small::forward_solve(k, A.data(), 1, s.data());
            for (int a = 0; a < k; ++a) rss -= s[a] * s[a];
            df -= k;
        }
        if (df >= 0.1 * static_cast<double>(plan.n) && rss > 0.0) least = std::min(least, rss / df);
    }
    return least;
}

}  // namespace

std::vector<double> moment_matrix(const CrossProducts &products, const std::vector<Entry> &entries) {
    const int d = static_cast<int>(entries.size()), width = d + 1, p = products.p, F = static_cast<int>(products.blocks.size());
    std::vector<double> out(static_cast<std::size_t>(width) * width, 0.0), CC;
    std::vector<double> XVX(static_cast<std::size_t>(d) * p * p, 0.0);  // X'V_e X
    std::vector<std::vector<int>> own(F);
    for (int e = 0; e < d; ++e) own[entries[e].block].push_back(e);
    for (int f = 0; f < F; ++f) {
        const Block &block = products.blocks[f];
        const int k = block.k;
        for (int j = 0; j < block.n_levels; ++j) {
            const double *A = &block.ZZ[static_cast<std::size_t>(j) * k * k], *C = block.ZX.data() + static_cast<std::size_t>(j) * k * p;
            outer(C, k, C, k, p, CC);
            add_traces(entries, own[f], own[f], A, CC.data(), k, width, out);
            for (int e : own[f]) {
                const int a = entries[e].row, b = entries[e].column;
                out[e * width + d] += 2.0 * half(entries[e]) * (A[a * k + b] - CC[a * k + b]);
                for (int x = 0; x < p; ++x)
                    for (int y = 0; y < p; ++y)
                        XVX[(static_cast<std::size_t>(e) * p + x) * p + y] += half(entries[e]) * (C[a * p + x] * C[b * p + y] + C[b * p + x] * C[a * p + y]);
            }
        }
        for (int g = f + 1; g < F; ++g) {
            const Pair &pair = products.pairs[CrossProducts::pair_index(f, g, F)];
            const int kg = products.blocks[g].k;
            for (int j = 0; j < block.n_levels; ++j)
                for (std::int64_t at = pair.start[j]; at < pair.start[j + 1]; ++at) {
                    outer(block.ZX.data() + static_cast<std::size_t>(j) * k * p, k,
                          products.blocks[g].ZX.data() + static_cast<std::size_t>(pair.level[at]) * kg * p, kg, p, CC);
                    add_traces(entries, own[f], own[g], &pair.value[static_cast<std::size_t>(at) * k * kg], CC.data(), kg, width, out);
                }
            for (int e : own[f])
                for (int h : own[g]) out[h * width + e] = out[e * width + h];
        }
    }
    for (int e = 0; e < d; ++e) {
        for (int f = 0; f < d; ++f) {
            double dot = 0.0;
            for (int x = 0; x < p * p; ++x) dot += XVX[static_cast<std::size_t>(e) * p * p + x] * XVX[static_cast<std::size_t>(f) * p * p + x];
            out[e * width + f] += dot;
        }
        out[d * width + e] = out[e * width + d];
    }
    out[d * width + d] = static_cast<double>(products.n - p);
    return out;
}

std::vector<double> moment_start(const Plan &plan, const Response &response) {
    const int d = static_cast<int>(plan.entries.size()), width = d + 1;
    std::vector<double> theta(d, 0.0), right(width, 0.0);
    for (int e = 0; e < d; ++e) theta[e] = plan.entries[e].row == plan.entries[e].column;
    for (int e = 0; e < d; ++e) {
        const Entry &entry = plan.entries[e];
        const int k = plan.blocks[entry.block].k;
        const auto &s = response.Zy[entry.block];
        for (int j = 0; j < plan.blocks[entry.block].n_levels; ++j)
            right[e] += 2.0 * half(entry) * s[static_cast<std::size_t>(j) * k + entry.row] * s[static_cast<std::size_t>(j) * k + entry.column];
    }
    right[d] = response.yy;
    // Scaled to unit diagonal; combinations that the moments do not determine are left at zero.
    std::vector<double> M = plan.moments, scale(width);
    for (int e = 0; e < width; ++e) {
        // Beside the largest of its block nothing but rounding: no effect on the variance of y.
        double largest = 0.0;
        for (int f = 0; f < d; ++f)
            if (e < d && plan.entries[f].block == plan.entries[e].block) largest = std::max(largest, M[f * width + f]);
        scale[e] = M[e * width + e] > 1e-10 * largest ? 1.0 / std::sqrt(M[e * width + e]) : 0.0;
    }
    for (int e = 0; e < width; ++e) {
        right[e] *= scale[e];
        for (int f = 0; f < width; ++f) M[e * width + f] *= scale[e] * scale[f];
    }
    const Eigen equations = eigen(M, width);
    std::vector<double> solved(width, 0.0);
    for (int x = 0; x < width; ++x) {
        if (!(equations.values[x] > 1e-3)) continue;
        double along = 0.0;
        for (int e = 0; e < width; ++e) along += equations.vectors[x * width + e] * right[e];
        for (int e = 0; e < width; ++e) solved[e] += equations.vectors[x * width + e] * along / equations.values[x];
    }
    right = solved;
    for (int e = 0; e < width; ++e) right[e] *= scale[e];
    // The moment equations weigh all rows alike, so that a small residual variance drowns in them; what varies within the
    // levels of a factor is its upper bound, and its estimate if there is but one factor.
    const double within = within_variance(plan, response);
    const double residual = right[d] > 0.2 * within && right[d] < within ? right[d] : within;
    if (!std::isfinite(residual) || !(residual > 0.0)) return theta;
    // Term by term: the free entries of a block split into triangles, whose covariance is made positive definite.
    for (int first = 0; first < d;) {
        int k = 0;  // the first column of a term holds one entry for each of its rows
        while (first + k < d && plan.entries[first + k].block == plan.entries[first].block && plan.entries[first + k].column == plan.entries[first].column) ++k;
        std::vector<double> S(static_cast<std::size_t>(k) * k), L(S.size(), 0.0);
        for (int c = 0, e = first; c < k; ++c)
            for (int r = c; r < k; ++r, ++e) S[r * k + c] = S[c * k + r] = right[e] / residual;
        const Eigen spectrum = eigen(S, k);
        for (int x = 0; x < k; ++x) {
            const double value = std::clamp(spectrum.values[x], least_variance, most_variance);
            if (!std::isfinite(value)) return theta;
            for (int r = 0; r < k; ++r)
                for (int c = 0; c < k; ++c) L[r * k + c] += value * spectrum.vectors[x * k + r] * spectrum.vectors[x * k + c];
        }
        if (!small::cholesky(k, L.data())) return theta;
        for (int c = 0; c < k; ++c)
            for (int r = c; r < k; ++r) theta[first++] = L[r * k + c];
    }
    return theta;
}

}  // namespace me
