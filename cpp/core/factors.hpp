// Relative covariance factors of every block from theta.
#pragma once

#include "core/criterion.hpp"
#include "core/dense_root.hpp"

namespace me {

// Lambda and S = Lambda Lambda' of every block, with derivatives along one entry when T is Dual.
template <class T>
Factors<T> make_factors(const Plan &plan, const std::vector<T> &theta, const Transform &transform) {
    Factors<T> out;
    for (const auto &block : plan.blocks) {
        const std::size_t size = static_cast<std::size_t>(block.k) * block.k;
        out.Lambda.emplace_back(size, T(0.0));
        out.S.emplace_back(size, T(0.0));
    }
    for (std::size_t e = 0; e < plan.entries.size(); ++e) {
        const Entry &entry = plan.entries[e];
        const int k = plan.blocks[entry.block].k;
        auto &Lambda = out.Lambda[entry.block];
        if (transform.empty()) {
            Lambda[entry.row * k + entry.column] = theta[e];
            continue;
        }
        for (int i = 0; i < k; ++i) Lambda[i * k + entry.column] += transform[entry.block][i * k + entry.row] * theta[e];
    }
    for (std::size_t f = 0; f < plan.blocks.size(); ++f) {
        const int k = plan.blocks[f].k;
        for (int i = 0; i < k; ++i)
            for (int j = 0; j < k; ++j)
                for (int c = 0; c < k; ++c) out.S[f][i * k + j] += out.Lambda[f][i * k + c] * out.Lambda[f][j * k + c];
    }
    return out;
}

}  // namespace me
