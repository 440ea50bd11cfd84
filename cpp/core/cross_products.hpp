// Cross-products of [Z X y] under the weights, by blocks of grouping factors (docs/algorithm.md, "Cross-products").
//
// Rows are seen only here. X is replaced by X R^-1 and the columns of a block by Z T^-1 (a Basis), and y by
// y - X b0, so that shifts and units of the columns cost no digits later.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace me {

struct Column {  // one column of doubles; a stride of 0 repeats one value
    const double *data;
    std::int64_t stride;
    double operator[](std::int64_t row) const { return data[row * stride]; }
};

struct BlockRows {  // one grouping factor: the level of each row and the columns that vary over the levels
    const std::int32_t *codes;
    int n_levels;
    std::vector<Column> columns;
};

struct Rows {
    std::int64_t n;
    std::vector<Column> X;
    Column y;
    const double *weights;  // null: all one
    std::vector<BlockRows> blocks;
};

struct Basis {
    std::vector<double> R;               // p x p upper triangular, column-major
    std::vector<double> b0;              // p
    std::vector<std::vector<double>> T;  // per block K x K upper triangular, column-major
};

struct Block {
    int n_levels = 0, k = 0;
    std::vector<double> ZZ;  // (n_levels, k, k)
    std::vector<double> ZX;  // (n_levels, k, p)
    std::vector<double> Zy;  // (n_levels, k)
};

// Z_f'W Z_g of two factors, f < g: for each level of f the levels of g that occur with it, ascending.
struct Pair {
    std::vector<std::int64_t> start;  // n_levels of f, plus one
    std::vector<std::int32_t> level;
    std::vector<double> value;  // (entries, k_f, k_g)
};

struct CrossProducts {
    std::int64_t n = 0;
    int p = 0;
    double sum_log_weights = 0.0;
    std::vector<double> XX;  // p x p, full
    std::vector<double> Xy;  // p
    double yy = 0.0;
    std::vector<Block> blocks;
    std::vector<Pair> pairs;  // (0,1), (0,2), ..., (1,2), ...

    static int pair_index(int f, int g, int n_blocks) { return f * (2 * n_blocks - f - 1) / 2 + (g - f - 1); }
};

struct Response {  // the parts of the problem that belong to y
    std::vector<double> Xy;
    double yy = 0.0;
    std::vector<std::vector<double>> Zy;  // by block (n_levels, k)
};

// Upper triangular factor R of sqrt(W) [columns], so that R'R = columns' W columns; (c x c), column-major.
std::vector<double> triangular_factor(std::int64_t n, const std::vector<Column> &columns, const double *weights,
                                      int n_threads);

CrossProducts cross_products(const Rows &rows, const Basis &basis, int n_threads);

// The parts that belong to y alone, for another response on the same rows.
Response response_products(const Rows &rows, const Basis &basis, int n_threads = 1);

// Cross-products of two batches of rows under the same basis and the same levels.
CrossProducts add(const CrossProducts &a, const CrossProducts &b);

}  // namespace me
