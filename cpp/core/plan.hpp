// The symbolic work, once per design: which factors are eliminated level by level, and where everything goes.
//
// A chain of factors, each nested in the next, is eliminated exactly (their blocks stay block diagonal); the other
// factors form one dense block. The levels of the chain are nodes of a forest whose root is the dense block with
// X and y. A node's columns are what it touches further up: its `map` gives their places in its parent's front,
// where the parent's own K columns come first and its packed columns after them.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/cross_products.hpp"

namespace me {

struct Entry {  // one free entry of the relative covariance factor of a block
    int block, row, column;
};

struct Stage {  // one eliminated factor; a node for each level
    int block = 0, k = 0, n_nodes = 0;
    std::vector<std::int64_t> start;  // first packed column of each node, plus one
    std::vector<std::int32_t> map;    // place of each packed column in the parent's front (or at the root)
    std::vector<double> C;            // packed columns: node i holds (k, width) row-major at k * start[i]
    std::vector<std::int32_t> parent;               // level in the next stage; empty when the root is the parent
    std::vector<std::int64_t> child_start;          // children of each node in the stage before
    std::vector<std::int32_t> child;
    // The packed columns by root column, for a single stage below a dense block: `place` counts packed columns.
    std::vector<std::int64_t> column_start, place;
    std::vector<std::int32_t> node;
    std::vector<std::int64_t> halves;               // root columns split in two parts of equal work
    bool crowded = false;                           // nodes touch so much of the dense block that matrix products pay
    int width(int node) const { return static_cast<int>(start[node + 1] - start[node]); }
};

struct Plan {
    int p = 0;
    std::int64_t n = 0;
    double sum_log_weights = 0.0;
    std::vector<Block> blocks;          // as in the cross-products (Zy unused)
    std::vector<double> XX;             // p x p
    std::vector<Entry> entries;         // theta
    std::vector<std::vector<int>> entries_of;  // by block
    std::vector<double> moments;        // coefficients of the moment equations (moments.hpp)
    std::vector<Stage> stages;
    std::vector<int> dense;             // blocks of the dense part
    std::vector<std::int64_t> offset;   // first root column of each dense block (-1 for eliminated ones)
    std::int64_t Q = 0;                 // size of the dense block
    std::vector<double> D;              // Q x Q, lower triangle, column-major
    std::vector<double> DX;             // Q x p, column-major
    bool hessian_is_dear = false;       // an exact Hessian would cost more than a whole search
};

std::int64_t dense_size(const CrossProducts &products);
// Without moments there is no moment_start().
std::shared_ptr<const Plan> make_plan(const CrossProducts &products, std::vector<Entry> entries, bool moments = true);
Response response_of(const CrossProducts &products);

}  // namespace me
