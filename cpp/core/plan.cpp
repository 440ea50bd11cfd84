#include "core/plan.hpp"

#include <algorithm>
#include <numeric>
#include <stdexcept>

#include "core/memory.hpp"
#include "core/moments.hpp"

namespace me {
namespace {

// For each level of f the levels of g with it, whichever way the pair is stored.
struct Cross {
    const Pair *pair = nullptr;
    Pair turned;
    std::int64_t begin(int j) const { return pair->start[j]; }
    std::int64_t end(int j) const { return pair->start[j + 1]; }
};

Pair turn(const Pair &pair, int Jf, int Jg, int kf, int kg) {
    Pair out;
    const std::size_t size = static_cast<std::size_t>(kf) * kg;
    out.start.assign(Jg + 1, 0);
    for (auto l : pair.level) ++out.start[l + 1];
    std::partial_sum(out.start.begin(), out.start.end(), out.start.begin());
    out.level.resize(pair.level.size());
    out.value.resize(pair.value.size());
    auto next = out.start;
    for (int j = 0; j < Jf; ++j)
        for (std::int64_t at = pair.start[j]; at < pair.start[j + 1]; ++at) {
            const std::int64_t to = next[pair.level[at]]++;
            out.level[to] = j;
            for (int a = 0; a < kf; ++a)
                for (int b = 0; b < kg; ++b) out.value[to * size + b * kf + a] = pair.value[at * size + a * kg + b];
        }
    return out;
}

const Pair &stored(const CrossProducts &products, int f, int g) {
    return products.pairs[CrossProducts::pair_index(f, g, static_cast<int>(products.blocks.size()))];
}

// Is every level of f found with exactly one level of g?
bool nested(const CrossProducts &products, int f, int g) {
    const int J = products.blocks[f].n_levels;
    if (f < g) {
        const Pair &pair = stored(products, f, g);
        for (int j = 0; j < J; ++j)
            if (pair.start[j + 1] - pair.start[j] != 1) return false;
        return true;
    }
    const Pair &pair = stored(products, g, f);
    std::vector<char> seen(J, 0);
    for (auto level : pair.level)
        if (seen[level]++) return false;
    return pair.level.size() == static_cast<std::size_t>(J);
}

// The chain of nested factors, finest first, that leaves the smallest dense block.
std::vector<int> best_chain(const CrossProducts &products) {
    const int F = static_cast<int>(products.blocks.size());
    if (F == 0) return {};
    std::vector<int> order(F);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](int a, int b) { return products.blocks[a].n_levels > products.blocks[b].n_levels; });
    std::vector<std::int64_t> weight(F);
    std::vector<int> before(F, -1);
    int best = 0;
    for (int x = 0; x < F; ++x) {
        const auto &block = products.blocks[order[x]];
        const std::int64_t own = static_cast<std::int64_t>(block.n_levels) * block.k;
        weight[x] = own;
        for (int w = 0; w < x; ++w)
            if (weight[w] + own > weight[x] && nested(products, order[w], order[x])) {
                weight[x] = weight[w] + own;
                before[x] = w;
            }
        if (weight[x] > weight[best]) best = x;
    }
    std::vector<int> chain;
    for (int x = best; x >= 0; x = before[x]) chain.push_back(order[x]);
    std::reverse(chain.begin(), chain.end());
    return chain;
}

struct Builder {
    const CrossProducts &products;
    Plan &plan;
    std::vector<std::vector<std::int64_t>> keys;  // of each stage: global keys of the packed columns

    Cross cross(int f, int g) const {
        Cross out;
        if (f < g) {
            out.pair = &stored(products, f, g);
        } else {
            out.turned = turn(stored(products, g, f), products.blocks[g].n_levels, products.blocks[f].n_levels,
                              products.blocks[g].k, products.blocks[f].k);
            out.pair = &out.turned;
        }
        return out;
    }

    // Keys order columns as fronts do: stage after stage, then the dense block.
    std::int64_t key(int block, int level, int a) const {
        std::int64_t base = 0;
        for (const auto &stage : plan.stages) {
            if (stage.block == block) return base + static_cast<std::int64_t>(level) * stage.k + a;
            base += static_cast<std::int64_t>(stage.n_nodes) * stage.k;
        }
        return base + plan.offset[block] + static_cast<std::int64_t>(level) * products.blocks[block].k + a;
    }

    std::int64_t root_key() const {
        std::int64_t base = 0;
        for (const auto &stage : plan.stages) base += static_cast<std::int64_t>(stage.n_nodes) * stage.k;
        return base;
    }

    void pack(int s) {
        Stage &stage = plan.stages[s];
        const int f = stage.block, k = stage.k;
        std::vector<int> later;
        for (std::size_t t = s + 1; t < plan.stages.size(); ++t) later.push_back(plan.stages[t].block);
        later.insert(later.end(), plan.dense.begin(), plan.dense.end());
        std::vector<Cross> crosses;
        for (int g : later) crosses.push_back(cross(f, g));
        for (std::size_t x = 0; x < later.size(); ++x)  // a turned pair lives inside its Cross
            if (!crosses[x].turned.start.empty()) crosses[x].pair = &crosses[x].turned;
        stage.start.assign(stage.n_nodes + 1, 0);
        for (int j = 0; j < stage.n_nodes; ++j) {
            std::int64_t width = 0;
            for (std::size_t x = 0; x < later.size(); ++x)
                width += (crosses[x].end(j) - crosses[x].begin(j)) * products.blocks[later[x]].k;
            stage.start[j + 1] = stage.start[j] + width;
        }
        stage.C.assign(static_cast<std::size_t>(stage.start.back()) * k, 0.0);
        keys[s].resize(stage.start.back());
        for (int j = 0; j < stage.n_nodes; ++j) {
            const int width = stage.width(j);
            double *C = stage.C.data() + static_cast<std::size_t>(k) * stage.start[j];
            int column = 0;
            for (std::size_t x = 0; x < later.size(); ++x) {
                const int g = later[x], kg = products.blocks[g].k;
                for (std::int64_t at = crosses[x].begin(j); at < crosses[x].end(j); ++at)
                    for (int b = 0; b < kg; ++b, ++column) {
                        keys[s][stage.start[j] + column] = key(g, crosses[x].pair->level[at], b);
                        for (int a = 0; a < k; ++a)
                            C[static_cast<std::size_t>(a) * width + column] =
                                crosses[x].pair->value[static_cast<std::size_t>(at) * k * kg + a * kg + b];
                    }
            }
        }
        if (s + 1 < static_cast<int>(plan.stages.size())) {
            stage.parent.resize(stage.n_nodes);
            for (int j = 0; j < stage.n_nodes; ++j) stage.parent[j] = crosses[0].pair->level[crosses[0].begin(j)];
        }
    }

    void link(int s) {
        Stage &stage = plan.stages[s];
        stage.map.resize(keys[s].size());
        if (stage.parent.empty()) {
            const std::int64_t base = root_key();
            for (std::size_t c = 0; c < keys[s].size(); ++c) stage.map[c] = static_cast<std::int32_t>(keys[s][c] - base);
            return;
        }
        Stage &next = plan.stages[s + 1];
        for (int j = 0; j < stage.n_nodes; ++j) {
            const int up = stage.parent[j];
            const std::int64_t own = key(next.block, up, 0);
            const auto first = keys[s + 1].begin() + next.start[up], last = keys[s + 1].begin() + next.start[up + 1];
            for (std::int64_t c = stage.start[j]; c < stage.start[j + 1]; ++c) {
                const std::int64_t wanted = keys[s][c];
                stage.map[c] = wanted < own + next.k
                                   ? static_cast<std::int32_t>(wanted - own)
                                   : static_cast<std::int32_t>(next.k + (std::lower_bound(first, last, wanted) - first));
            }
        }
        next.child_start.assign(next.n_nodes + 1, 0);
        for (int up : stage.parent) ++next.child_start[up + 1];
        std::partial_sum(next.child_start.begin(), next.child_start.end(), next.child_start.begin());
        next.child.resize(stage.n_nodes);
        auto at = next.child_start;
        for (int j = 0; j < stage.n_nodes; ++j) next.child[at[stage.parent[j]]++] = j;
    }

    // A column of the dense block stays in the cache while every node that touches it adds to it.
    void order_by_column() {
        if (plan.stages.size() != 1 || plan.Q == 0) return;
        Stage &stage = plan.stages[0];
        stage.column_start.assign(plan.Q + 1, 0);
        for (auto column : stage.map) ++stage.column_start[column + 1];
        std::partial_sum(stage.column_start.begin(), stage.column_start.end(), stage.column_start.begin());
        stage.place.resize(stage.map.size());
        stage.node.resize(stage.map.size());
        auto next = stage.column_start;
        std::vector<std::int64_t> work(plan.Q + 1, 0);
        for (int j = 0; j < stage.n_nodes; ++j)
            for (std::int64_t c = stage.start[j]; c < stage.start[j + 1]; ++c) {
                const std::int64_t at = next[stage.map[c]]++;
                stage.place[at] = c;
                stage.node[at] = j;
                work[stage.map[c] + 1] += stage.start[j + 1] - c;
            }
        std::partial_sum(work.begin(), work.end(), work.begin());
        const auto half = std::lower_bound(work.begin(), work.end(), work.back() / 2) - work.begin();
        const double share = 2.0 * static_cast<double>(work.back()) / (static_cast<double>(plan.Q) * plan.Q * stage.n_nodes);
        stage.crowded = plan.Q >= 16 && share > 0.1;
        if (work.back() < 200000)
            stage.halves = {0, plan.Q};
        else
            stage.halves = {0, half, plan.Q};
    }

    void fill_dense() {
        const std::int64_t Q = plan.Q;
        resize_large(plan.D, static_cast<std::size_t>(Q) * Q);
        plan.DX.assign(static_cast<std::size_t>(Q) * plan.p, 0.0);
        auto put = [&](std::int64_t i, std::int64_t j, double x) { plan.D[std::min(i, j) * Q + std::max(i, j)] = x; };
        for (std::size_t x = 0; x < plan.dense.size(); ++x) {
            const int g = plan.dense[x];
            const Block &block = products.blocks[g];
            for (int j = 0; j < block.n_levels; ++j) {
                const std::int64_t at = plan.offset[g] + static_cast<std::int64_t>(j) * block.k;
                for (int a = 0; a < block.k; ++a) {
                    const std::size_t row = static_cast<std::size_t>(j) * block.k + a;
                    for (int b = 0; b <= a; ++b) put(at + a, at + b, block.ZZ[row * block.k + b]);
                    for (int c = 0; c < plan.p; ++c) plan.DX[c * Q + at + a] = block.ZX[row * plan.p + c];
                }
            }
            for (std::size_t w = x + 1; w < plan.dense.size(); ++w) {
                const int h = std::max(g, plan.dense[w]), low = std::min(g, plan.dense[w]);
                const Pair &pair = stored(products, low, h);
                const int kl = products.blocks[low].k, kh = products.blocks[h].k;
                for (int j = 0; j < products.blocks[low].n_levels; ++j)
                    for (std::int64_t at = pair.start[j]; at < pair.start[j + 1]; ++at)
                        for (int a = 0; a < kl; ++a)
                            for (int b = 0; b < kh; ++b)
                                put(plan.offset[low] + static_cast<std::int64_t>(j) * kl + a,
                                    plan.offset[h] + static_cast<std::int64_t>(pair.level[at]) * kh + b,
                                    pair.value[(static_cast<std::size_t>(at) * kl + a) * kh + b]);
            }
        }
    }
};

}  // namespace

std::int64_t dense_size(const CrossProducts &products) {
    std::int64_t size = 0;
    for (const auto &block : products.blocks) size += static_cast<std::int64_t>(block.n_levels) * block.k;
    for (int f : best_chain(products))
        size -= static_cast<std::int64_t>(products.blocks[f].n_levels) * products.blocks[f].k;
    return size;
}

std::shared_ptr<const Plan> make_plan(const CrossProducts &products, std::vector<Entry> entries, bool moments) {
    if (products.blocks.empty()) throw std::invalid_argument("a model without random-effects terms");
    auto plan = std::make_shared<Plan>();
    const int F = static_cast<int>(products.blocks.size());
    plan->p = products.p;
    plan->n = products.n;
    plan->sum_log_weights = products.sum_log_weights;
    plan->XX = products.XX;
    plan->blocks = products.blocks;
    for (auto &block : plan->blocks) block.Zy = {};  // belongs to the response
    plan->entries = std::move(entries);
    plan->entries_of.resize(F);
    for (std::size_t e = 0; e < plan->entries.size(); ++e)
        plan->entries_of[plan->entries[e].block].push_back(static_cast<int>(e));
    if (moments) plan->moments = moment_matrix(products, plan->entries);
    Builder builder{products, *plan, {}};
    std::vector<bool> eliminated(F, false);
    for (int f : best_chain(products)) {
        eliminated[f] = true;
        Stage stage;
        stage.block = f;
        stage.k = products.blocks[f].k;
        stage.n_nodes = products.blocks[f].n_levels;
        plan->stages.push_back(std::move(stage));
    }
    plan->offset.assign(F, -1);
    for (int f = 0; f < F; ++f)
        if (!eliminated[f]) {
            plan->dense.push_back(f);
            plan->offset[f] = plan->Q;
            plan->Q += static_cast<std::int64_t>(products.blocks[f].n_levels) * products.blocks[f].k;
        }
    builder.keys.resize(plan->stages.size());
    for (int s = static_cast<int>(plan->stages.size()) - 1; s >= 0; --s) {
        builder.pack(s);
        builder.link(s);
    }
    builder.order_by_column();
    builder.fill_dense();
    // Operations of an exact Hessian: for each entry some twenty products of the dense block, and three evaluations.
    double work = 20.0 * static_cast<double>(plan->Q) * plan->Q * plan->Q;
    for (const auto &stage : plan->stages)
        for (int j = 0; j < stage.n_nodes; ++j) work += 8.0 * stage.k * (stage.width(j) + stage.k) * (stage.width(j) + stage.k);
    plan->hessian_is_dear = work * static_cast<double>(plan->entries.size()) > 3e9;
    return plan;
}

Response response_of(const CrossProducts &products) {
    Response out;
    out.Xy = products.Xy;
    out.yy = products.yy;
    for (const auto &block : products.blocks) out.Zy.push_back(block.Zy);
    return out;
}

}  // namespace me
