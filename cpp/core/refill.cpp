#include "core/refill.hpp"

#include <algorithm>
#include <stdexcept>

namespace me {

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

void Refill::add_row(const WorkingRows &rows, std::int64_t row, double weight) {
    Plan &plan = *plan_;
    const int p = plan.p, F = static_cast<int>(plan.blocks.size());
    const double *x = rows.X + row * rows.p;
    for (int c = 0; c < p; ++c)
        for (int d = 0; d <= c; ++d) plan.XX[static_cast<std::size_t>(d) * p + c] += weight * x[c] * x[d];
    for (int f = 0, at = 0; f < F; ++f) {
        Block &block = plan.blocks[f];
        const int k = block.k;
        const double *z = rows.Z[f] + row * k;
        const std::size_t j = static_cast<std::size_t>(rows.codes[f][row]) * k;
        for (int a = 0; a < k; ++a) {
            const double wz = weight * z[a];
            for (int b = 0; b < k; ++b) block.ZZ[(j + a) * k + b] += wz * z[b];
            for (int c = 0; c < p; ++c) block.ZX[(j + a) * p + c] += wz * x[c];
        }
        for (int g = f + 1; g < F; ++g, ++at) {
            const int kg = plan.blocks[g].k;
            const double *zg = rows.Z[g] + row * kg;
            double *target = &pairs_[cell_[at][row]];
            for (int a = 0; a < k; ++a)
                for (int b = 0; b < kg; ++b) target[a * kg + b] += weight * z[a] * zg[b];
        }
    }
}

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
    for (std::int64_t row = 0; row < rows.n; ++row) add_row(rows, row, weights[row]);
    put();
}

Response Refill::response(const WorkingRows &rows, const double *v) const {
    Response out;
    const int p = plan_->p;
    out.yy = 1e300;  // only the modes are wanted, not what they leave of the sum of squares
    out.Xy.assign(p, 0.0);
    for (const auto &block : plan_->blocks) out.Zy.emplace_back(static_cast<std::size_t>(block.n_levels) * block.k, 0.0);
    for (std::int64_t row = 0; row < rows.n; ++row) {
        for (int c = 0; c < p; ++c) out.Xy[c] += rows.X[row * rows.p + c] * v[row];
        for (std::size_t f = 0; f < out.Zy.size(); ++f) {
            const int k = plan_->blocks[f].k;
            double *target = &out.Zy[f][static_cast<std::size_t>(rows.codes[f][row]) * k];
            for (int a = 0; a < k; ++a) target[a] += rows.Z[f][row * k + a] * v[row];
        }
    }
    return out;
}

}  // namespace me
