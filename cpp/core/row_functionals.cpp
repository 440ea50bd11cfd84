#include "core/row_functionals.hpp"

#include <algorithm>

namespace me {

RowFunctionals::RowFunctionals(const Plan &plan, const Sweep<double> &sweep)
    : plan_(plan), sweep_(sweep), stage_of_(plan.blocks.size(), -1) {
    for (std::size_t s = 0; s < plan.stages.size(); ++s) stage_of_[plan.stages[s].block] = static_cast<int>(s);
}

RowFunctionals::Active &RowFunctionals::activate(Scratch &scratch, int s, int node) const {
    auto &all = scratch.stages[s];
    int &n = scratch.n_active[s];
    for (int i = 0; i < n; ++i)
        if (all[i].node == node) return all[i];
    if (n == static_cast<int>(all.size())) all.emplace_back();
    Active &fresh = all[n++];
    fresh.node = node;
    fresh.own.assign(plan_.stages[s].k, 0.0);
    fresh.beyond.assign(plan_.stages[s].width(node), 0.0);
    return fresh;
}

void RowFunctionals::add_root(Scratch &scratch, std::int64_t at, double value) const {
    if (!scratch.is_touched[at]) {
        scratch.is_touched[at] = 1;
        scratch.touched.push_back(static_cast<std::int32_t>(at));
    }
    scratch.root[at] += value;
}

// Takes a level out: returns its share of z'Kz, and leaves z - C'Kz further up and x - (Z'WX)'Kz.
double RowFunctionals::eliminate(Scratch &scratch, int s, const Active &active, double *x) const {
    const Stage &stage = plan_.stages[s];
    const auto &level = sweep_.levels_[s];
    const int k = stage.k, j = active.node, width = stage.width(j), p = plan_.p;
    const double *K = &level.K[static_cast<std::size_t>(j) * k * k];
    const double *C = (s == 0 ? stage.C.data() : level.C.data()) + static_cast<std::size_t>(k) * stage.start[j];
    const double *CX = (s == 0 ? plan_.blocks[stage.block].ZX.data() : level.CX.data()) + static_cast<std::size_t>(j) * k * p;
    scratch.Kz.assign(k, 0.0);
    double share = 0.0;
    for (int a = 0; a < k; ++a) {
        for (int b = 0; b < k; ++b) scratch.Kz[a] += K[a * k + b] * active.own[b];
        share += scratch.Kz[a] * active.own[a];
        for (int c = 0; c < p; ++c) x[c] -= CX[a * p + c] * scratch.Kz[a];
    }
    const std::int32_t *map = width ? &stage.map[stage.start[j]] : nullptr;
    Active *up = stage.parent.empty() || width == 0 ? nullptr : &activate(scratch, s + 1, stage.parent[j]);
    const int k_up = up ? plan_.stages[s + 1].k : 0;
    for (int c = 0; c < width; ++c) {
        double value = active.beyond[c];
        for (int a = 0; a < k; ++a) value -= C[static_cast<std::size_t>(a) * width + c] * scratch.Kz[a];
        if (!up)
            add_root(scratch, map[c], value);
        else
            (map[c] < k_up ? up->own[map[c]] : up->beyond[map[c] - k_up]) += value;
    }
    return share;
}

double RowFunctionals::finish(Scratch &scratch, double *x) const {
    const auto &root = sweep_.root;
    const std::int64_t Q = plan_.Q;
    std::sort(scratch.touched.begin(), scratch.touched.end());
    double share = 0.0;
    for (std::size_t i = 0; i < scratch.touched.size(); ++i) {
        const std::int64_t a = scratch.touched[i];
        const double *column = &root.K.v[a * Q];
        double sum = 0.5 * column[a] * scratch.root[a];
        for (std::size_t j = i + 1; j < scratch.touched.size(); ++j) sum += column[scratch.touched[j]] * scratch.root[scratch.touched[j]];
        share += 2.0 * scratch.root[a] * sum;
        for (int c = 0; c < plan_.p; ++c) x[c] += root.Upsilon[c * Q + a] * scratch.root[a];
    }
    for (auto a : scratch.touched) {
        scratch.root[a] = 0.0;
        scratch.is_touched[a] = 0;
    }
    scratch.touched.clear();
    return share;
}

void RowFunctionals::compute(const FunctionalRows &rows, std::int64_t first, std::int64_t last, double *conditional,
                             double *fixed) const {
    const int p = plan_.p, n_stages = static_cast<int>(plan_.stages.size());
    Scratch scratch;
    scratch.stages.resize(n_stages);
    scratch.n_active.resize(n_stages);
    scratch.root.assign(plan_.Q, 0.0);
    scratch.is_touched.assign(plan_.Q, 0);
    for (std::int64_t row = first; row < last; ++row) {
        double *x = fixed ? fixed + row * p : nullptr;
        if (p > 0) std::copy_n(rows.X + row * p, p, x);
        for (std::size_t f = 0; f < plan_.blocks.size(); ++f) {
            const std::int32_t code = rows.codes[f][row];
            if (code < 0) continue;
            const int k = plan_.blocks[f].k;
            const double *z = rows.Z[f] + row * k;
            if (stage_of_[f] >= 0) {
                Active &own = activate(scratch, stage_of_[f], code);
                for (int a = 0; a < k; ++a) own.own[a] += z[a];
            } else {
                for (int a = 0; a < k; ++a) add_root(scratch, plan_.offset[f] + static_cast<std::int64_t>(code) * k + a, z[a]);
            }
        }
        double share = 0.0;
        for (int s = 0; s < n_stages; ++s) {
            for (int i = 0; i < scratch.n_active[s]; ++i) share += eliminate(scratch, s, scratch.stages[s][i], x);
            scratch.n_active[s] = 0;
        }
        conditional[row] = share + finish(scratch, x);
    }
}

}  // namespace me
