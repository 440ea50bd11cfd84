// Sparse rows of nodes as dense panels, for nodes that touch much of the dense block.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/plan.hpp"

namespace me {

// The rows of nodes, one after another, as dense rows over the root's columns: a panel of up to 256 at a time.
template <class Use>
void for_each_panel(const Stage &stage, std::int64_t Q, const double *rows, Use &&use) {
    constexpr int most = 256;
    const int K = stage.k;
    std::vector<double> panel(static_cast<std::size_t>(most) * Q);
    int filled = 0, first = 0;
    for (int j = 0; j < stage.n_nodes; ++j) {
        if (filled == 0) std::fill(panel.begin(), panel.end(), 0.0);
        const int width = stage.width(j);
        for (int k = 0; k < K; ++k)
            for (int c = 0; c < width; ++c)
                panel[static_cast<std::size_t>(stage.map[stage.start[j] + c]) * most + filled + k] =
                    rows[static_cast<std::size_t>(K) * stage.start[j] + static_cast<std::size_t>(k) * width + c];
        filled += K;
        if (filled + K > most || j + 1 == stage.n_nodes) {
            use(panel, filled, most, first);
            filled = 0;
            first = j + 1;
        }
    }
}

}  // namespace me
