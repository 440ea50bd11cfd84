// Sparse rows of nodes as dense panels, for nodes that touch much of the dense block.
#pragma once

#include <algorithm>
#include <cstdint>
#include <algorithm>
#include <vector>

#include "core/plan.hpp"

namespace me {

// Rows of a panel. OpenBLAS calls on its threads when a product is longer than this, which for a small dense block costs
// more than it gains, and very much more on a busy machine.
inline int panel_rows(std::int64_t Q) {
    constexpr std::int64_t alone = 57344;
    return static_cast<int>(std::clamp<std::int64_t>(alone / (Q * (Q + 1)), 64, 256));
}

// The rows of nodes, one after another, as dense rows over the root's columns: a panel at a time.
template <class Use>
void for_each_panel(const Stage &stage, std::int64_t Q, const double *rows, Use &&use) {
    const int K = stage.k, most = panel_rows(Q);
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
