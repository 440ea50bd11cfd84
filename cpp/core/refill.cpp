#include "core/refill.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "core/blas.hpp"

namespace me {
namespace {

template <int KK>
void add_block(const WorkingRows &rows, int f, int p, const double *weights, Block &block) {
    const int K = KK ? KK : block.k;
    for (std::int64_t r = 0; r < rows.n; ++r) {
        const double *z = rows.Z[f] + r * K, *x = rows.X + r * rows.p;
        const std::size_t j = static_cast<std::size_t>(rows.codes[f][r]) * K;
        for (int a = 0; a < K; ++a) {
            const double wz = weights[r] * z[a];
            double *__restrict ZZ = &block.ZZ[(j + a) * K], *__restrict ZX = block.ZX.data() + (j + a) * p;
            for (int b = 0; b < K; ++b) ZZ[b] += wz * z[b];
            for (int c = 0; c < p; ++c) ZX[c] += wz * x[c];
        }
    }
}

template <int KK>
void add_product(const WorkingRows &rows, std::size_t f, int k, const double *v, double *target) {
    const int K = KK ? KK : k;
    const double *z = rows.Z[f];
    const std::int32_t *codes = rows.codes[f];
    for (std::int64_t r = 0; r < rows.n; ++r)
        for (int a = 0; a < K; ++a) target[static_cast<std::size_t>(codes[r]) * K + a] += z[r * K + a] * v[r];
}

template <int KK, int KG>
void add_pair(const WorkingRows &rows, int f, int g, int k, int kg, const std::vector<std::int64_t> &cell, const double *weights,
              double *values) {
    const int K = KK ? KK : k, G = KG ? KG : kg;
    for (std::int64_t r = 0; r < rows.n; ++r) {
        const double *z = rows.Z[f] + r * K, *other = rows.Z[g] + r * G;
        double *target = values + cell[r];
        for (int a = 0; a < K; ++a)
            for (int b = 0; b < G; ++b) target[a * G + b] += weights[r] * z[a] * other[b];
    }
}

// X'WX, a few rows at a time times the roots of their weights; rows of negative weight apart.
void add_fixed(const WorkingRows &rows, int p, const double *weights, double *XX) {
    constexpr int step = 256;
    std::vector<double> scaled(static_cast<std::size_t>(step) * p);
    for (double sign : {1.0, -1.0}) {
        int filled = 0;
        auto flush = [&] {
            if (filled) blas::syrk_lower('N', p, filled, sign, scaled.data(), p, 1.0, XX, p);
            filled = 0;
        };
        for (std::int64_t r = 0; r < rows.n; ++r) {
            if (!(sign * weights[r] > 0.0)) continue;
            const double root = std::sqrt(sign * weights[r]);
            for (int c = 0; c < p; ++c) scaled[static_cast<std::size_t>(filled) * p + c] = root * rows.X[r * rows.p + c];
            if (++filled == step) flush();
        }
        flush();
    }
}

// The same for C of the columns, whose sums stay in registers.
template <int C>
void columns_product(const WorkingRows &rows, int first, const double *v, double *out) {
    double sum[C] = {};
    const double *x = rows.X + first;
    for (std::int64_t r = 0; r < rows.n; ++r, x += rows.p)
        for (int c = 0; c < C; ++c) sum[c] += x[c] * v[r];
    for (int c = 0; c < C; ++c) out[first + c] = sum[c];
}

}  // namespace

void fixed_product(const WorkingRows &rows, const double *v, double *out) {
    int c = 0;
    for (; c + 4 <= rows.p; c += 4) columns_product<4>(rows, c, v, out);
    for (; c + 2 <= rows.p; c += 2) columns_product<2>(rows, c, v, out);
    for (; c < rows.p; ++c) columns_product<1>(rows, c, v, out);
}

Refill::Refill(const CrossProducts &pattern, const WorkingRows &rows, std::vector<Entry> entries, bool with_X) {
    CrossProducts marked = pattern;
    if (!with_X) {
        marked.p = 0;
        marked.XX.clear();
        marked.Xy.clear();
        for (auto &block : marked.blocks) block.ZX.clear();
    }
    std::int64_t next = 1;  // 0 marks what no row ever adds to
    const int F = static_cast<int>(marked.blocks.size());
    for (auto &block : marked.blocks) std::fill(block.ZZ.begin(), block.ZZ.end(), 0.0);
    for (int f = 0, at = 0; f < F; ++f)
        for (int g = f + 1; g < F; ++g, ++at) {
            Pair &pair = marked.pairs[at];
            const std::size_t size = static_cast<std::size_t>(marked.blocks[f].k) * marked.blocks[g].k;
            std::vector<std::int64_t> cells(rows.n);
            for (std::int64_t r = 0; r < rows.n; ++r) {
                const auto first = pair.level.begin() + pair.start[rows.codes[f][r]],
                           last = pair.level.begin() + pair.start[rows.codes[f][r] + 1];
                const auto found = std::lower_bound(first, last, rows.codes[g][r]);
                if (found == last || *found != rows.codes[g][r]) throw std::invalid_argument("a pair of levels that the pattern lacks");
                cells[r] = next - 1 + static_cast<std::int64_t>(found - pair.level.begin()) * static_cast<std::int64_t>(size);
            }
            cell_.push_back(std::move(cells));
            for (auto &value : pair.value) value = static_cast<double>(next++);
        }
    pairs_.assign(static_cast<std::size_t>(next - 1), 0.0);
    plan_ = std::const_pointer_cast<Plan>(make_plan(marked, std::move(entries), false));
    for (const auto &stage : plan_->stages) {
        std::vector<std::int64_t> places(stage.C.size());
        for (std::size_t i = 0; i < places.size(); ++i) places[i] = static_cast<std::int64_t>(stage.C[i]) - 1;
        C_.push_back(std::move(places));
    }
    for (std::size_t i = 0; i < plan_->D.size(); ++i)
        if (static_cast<std::int64_t>(i) % plan_->Q >= static_cast<std::int64_t>(i) / plan_->Q && plan_->D[i] > 0.0) {
            D_from_.push_back(static_cast<std::int64_t>(plan_->D[i]) - 1);
            D_to_.push_back(static_cast<std::int64_t>(i));
        }
}

Refill::Refill(const Refill &other)
    : plan_(std::make_shared<Plan>(*other.plan_)), pairs_(other.pairs_), cell_(other.cell_), C_(other.C_),
      D_from_(other.D_from_), D_to_(other.D_to_) {}

// From the blocks and the pairs to the packed columns and the dense block.
void Refill::put() {
    Plan &plan = *plan_;
    const int p = plan.p;
    for (int c = 0; c < p; ++c)
        for (int d = 0; d < c; ++d) plan.XX[static_cast<std::size_t>(c) * p + d] = plan.XX[static_cast<std::size_t>(d) * p + c];
    for (std::size_t s = 0; s < plan.stages.size(); ++s)
        for (std::size_t i = 0; i < C_[s].size(); ++i) plan.stages[s].C[i] = pairs_[C_[s][i]];
    for (std::size_t i = 0; i < D_from_.size(); ++i) plan.D[D_to_[i]] = pairs_[D_from_[i]];
    for (int g : plan.dense) {
        const Block &block = plan.blocks[g];
        for (int j = 0; j < block.n_levels; ++j) {
            const std::int64_t at = plan.offset[g] + static_cast<std::int64_t>(j) * block.k;
            for (int a = 0; a < block.k; ++a) {
                const std::size_t row = static_cast<std::size_t>(j) * block.k + a;
                for (int b = 0; b <= a; ++b) plan.D[(at + b) * plan.Q + at + a] = block.ZZ[row * block.k + b];
                for (int c = 0; c < p; ++c) plan.DX[c * plan.Q + at + a] = block.ZX[row * p + c];
            }
        }
    }
}

void Refill::operator()(const WorkingRows &rows, const double *weights) {
    Plan &plan = *plan_;
    std::fill(plan.XX.begin(), plan.XX.end(), 0.0);
    for (auto &block : plan.blocks) {
        std::fill(block.ZZ.begin(), block.ZZ.end(), 0.0);
        std::fill(block.ZX.begin(), block.ZX.end(), 0.0);
    }
    std::fill(pairs_.begin(), pairs_.end(), 0.0);
    const int p = plan.p, F = static_cast<int>(plan.blocks.size());
    if (p > 0) add_fixed(rows, p, weights, plan.XX.data());
    for (int f = 0, at = 0; f < F; ++f) {
        Block &block = plan.blocks[f];
        if (block.k == 1) add_block<1>(rows, f, p, weights, block);
        else if (block.k == 2) add_block<2>(rows, f, p, weights, block);
        else add_block<0>(rows, f, p, weights, block);
        for (int g = f + 1; g < F; ++g, ++at) {
            const int kg = plan.blocks[g].k;
            if (block.k == 1 && kg == 1) add_pair<1, 1>(rows, f, g, 1, 1, cell_[at], weights, pairs_.data());
            else add_pair<0, 0>(rows, f, g, block.k, kg, cell_[at], weights, pairs_.data());
        }
    }
    put();
}

Response Refill::nothing() const {
    Response out;
    out.yy = 1e300;  // only the modes are wanted, not what they leave of the sum of squares
    out.Xy.assign(plan_->p, 0.0);
    for (const auto &block : plan_->blocks) out.Zy.emplace_back(static_cast<std::size_t>(block.n_levels) * block.k, 0.0);
    return out;
}

Response Refill::response(const WorkingRows &rows, const double *v) const {
    Response out = nothing();
    if (plan_->p > 0) fixed_product(rows, v, out.Xy.data());
    for (std::size_t f = 0; f < plan_->blocks.size(); ++f) {
        const int k = plan_->blocks[f].k;
        double *target = out.Zy[f].data();
        if (k == 1) add_product<1>(rows, f, 1, v, target);
        else if (k == 2) add_product<2>(rows, f, 2, v, target);
        else add_product<0>(rows, f, k, v, target);
    }
    return out;
}

}  // namespace me
