#include "core/deletion.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/newton.hpp"
#include "core/small.hpp"
#include "core/sweep.hpp"

namespace me {
namespace {

// One row in the working columns, times the root of its weight.
class Row {
  public:
    Row(const Rows &rows, const Basis &basis) : rows_(rows), basis_(basis), x(rows.X.size()), z(rows.blocks.size()) {
        for (std::size_t f = 0; f < z.size(); ++f) z[f].resize(rows.blocks[f].columns.size());
    }

    void load(std::int64_t r) {
        const double root = rows_.weights ? std::sqrt(rows_.weights[r]) : 1.0;
        y = rows_.y[r];
        for (std::size_t c = 0; c < x.size(); ++c) {
            x[c] = rows_.X[c][r];
            y -= x[c] * basis_.b0[c];
        }
        y *= root;
        solve(basis_.R, x, root);
        for (std::size_t f = 0; f < z.size(); ++f) {
            for (std::size_t a = 0; a < z[f].size(); ++a) z[f][a] = rows_.blocks[f].columns[a][r];
            solve(basis_.T[f], z[f], root);
        }
    }

  private:
    const Rows &rows_;
    const Basis &basis_;

    // v R^-1 for an upper triangular R, column-major, times a factor.
    static void solve(const std::vector<double> &R, std::vector<double> &v, double factor) {
        const std::size_t n = v.size();
        for (std::size_t c = 0; c < n; ++c) {
            for (std::size_t b = 0; b < c; ++b) v[c] -= v[b] * R[c * n + b];
            v[c] /= R[c * n + c];
        }
        for (double &value : v) value *= factor;
    }

  public:
    std::vector<double> x;
    double y = 0.0;
    std::vector<std::vector<double>> z;
};

void subtract_pairs(CrossProducts &out, const Rows &rows, const Row &row, std::int64_t r) {
    const int F = static_cast<int>(out.blocks.size());
    for (int f = 0, at = 0; f < F; ++f)
        for (int g = f + 1; g < F; ++g, ++at) {
            Pair &pair = out.pairs[at];
            const std::int32_t j = rows.blocks[f].codes[r], l = rows.blocks[g].codes[r];
            const auto first = pair.level.begin() + pair.start[j], last = pair.level.begin() + pair.start[j + 1];
            const std::int64_t entry = std::lower_bound(first, last, l) - pair.level.begin();
            const std::size_t kf = row.z[f].size(), kg = row.z[g].size();
            double *value = &pair.value[static_cast<std::size_t>(entry) * kf * kg];
            for (std::size_t a = 0; a < kf; ++a)
                for (std::size_t b = 0; b < kg; ++b) value[a * kg + b] -= row.z[f][a] * row.z[g][b];
        }
}

void subtract(CrossProducts &out, const Rows &rows, const Row &row, std::int64_t r) {
    const std::size_t p = row.x.size();
    for (std::size_t c = 0; c < p; ++c) {
        for (std::size_t d = 0; d < p; ++d) out.XX[c * p + d] -= row.x[c] * row.x[d];
        out.Xy[c] -= row.x[c] * row.y;
    }
    out.yy -= row.y * row.y;
    for (std::size_t f = 0; f < out.blocks.size(); ++f) {
        Block &block = out.blocks[f];
        const auto &z = row.z[f];
        const std::size_t k = z.size(), at = static_cast<std::size_t>(rows.blocks[f].codes[r]) * k;
        for (std::size_t a = 0; a < k; ++a) {
            for (std::size_t b = 0; b < k; ++b) block.ZZ[(at + a) * k + b] -= z[a] * z[b];
            for (std::size_t c = 0; c < p; ++c) block.ZX[(at + a) * p + c] -= z[a] * row.x[c];
            block.Zy[at + a] -= z[a] * row.y;
        }
    }
    subtract_pairs(out, rows, row, r);
    out.n -= 1;
    if (rows.weights) out.sum_log_weights -= std::log(rows.weights[r]);
}

// Newton's method with the curvature of all rows, which few rows change little: two evaluations, where a search that
// has to find the curvature itself takes three or four. Gives up as soon as progress is slow.
bool polish(const Criterion &criterion, const DeletionOptions &options, std::vector<double> &theta, Evaluation &at, int &n_evaluations) {
    const int d = static_cast<int>(theta.size());
    Workspace workspace;
    double last = std::numeric_limits<double>::infinity();
    std::vector<double> L = options.curvature;
    if (L.empty() || !small::cholesky(d, L.data())) return false;
    while (n_evaluations < 6) {
        at = criterion.evaluate(theta, {}, Want::gradient, &workspace);
        ++n_evaluations;
        if (!at.ok) return false;
        std::vector<double> step = at.gradient;
        small::forward_solve(d, L.data(), 1, step.data());
        double decrement = 0.0;
        for (double x : step) decrement += 0.5 * x * x;
        if (decrement < options.tolerance) return true;
        if (decrement > 0.1 * last || decrement > 0.5) return false;
        last = decrement;
        for (int i = d - 1; i >= 0; --i) {  // L' x = step
            for (int j = i + 1; j < d; ++j) step[i] -= L[j * d + i] * step[j];
            step[i] /= L[i * d + i];
        }
        for (int i = 0; i < d; ++i) theta[i] -= step[i];
    }
    return false;
}

}  // namespace

CrossProducts without(const CrossProducts &all, const Rows &rows, const Basis &basis, const std::int64_t *gone, std::int64_t count) {
    CrossProducts out = all;
    Row row(rows, basis);
    for (std::int64_t i = 0; i < count; ++i) {
        row.load(gone[i]);
        subtract(out, rows, row, gone[i]);
    }
    return out;
}

Deletion deletion(const CrossProducts &all, const Rows &rows, const Basis &basis, const std::int64_t *gone,
                  std::int64_t count, const Criterion &criterion, const std::vector<double> &theta,
                  const DeletionOptions &options) {
    const CrossProducts left = without(all, rows, basis, gone, count);
    const Criterion reduced = criterion.with_products(left);
    Deletion out;
    Evaluation at;
    out.theta = theta;
    if (!options.refit) {
        at = reduced.evaluate(theta, {}, Want::value);
        out.converged = true;
        out.n_evaluations = 1;
    } else if (100 * count <= rows.n && polish(reduced, options, out.theta, at, out.n_evaluations)) {
        out.converged = true;
    } else {
        NewtonResult found = minimize(reduced, theta, {options.tolerance, options.max_evaluations, 1});
        out.theta = std::move(found.theta);
        out.converged = found.converged;
        out.n_evaluations += found.n_evaluations;
        at = std::move(found.evaluation);
    }
    out.ok = at.ok && at.rss > 0.0;
    out.value = at.value;
    out.rss = at.rss;
    out.beta = std::move(at.beta);
    out.XVX = std::move(at.XVX);
    return out;
}

}  // namespace me
