// The rows of a design as the core takes them.
#pragma once

#include <stdexcept>

#include "bindings/arrays.hpp"

namespace me::bindings {

struct RowArguments {  // keeps the arrays alive while the core reads them
    std::vector<Vector> X;
    Vector y;
    std::optional<Dense> weights;
    std::vector<Codes> codes;
    std::vector<int> n_levels;
    std::vector<std::vector<Vector>> columns;

    // Checked views of the arrays; throws where lengths or codes are wrong.
    me::Rows rows() const {
        me::Rows out;
        out.n = static_cast<std::int64_t>(y.shape(0));
        auto check = [&](std::size_t length) {
            if (static_cast<std::int64_t>(length) != out.n) throw std::invalid_argument("arrays of different lengths");
        };
        for (const auto &x : X) {
            check(x.shape(0));
            out.X.push_back(to_column(x));
        }
        out.y = to_column(y);
        if (weights) check(weights->shape(0));
        out.weights = weights ? weights->data() : nullptr;
        if (n_levels.size() != codes.size() || columns.size() != codes.size())
            throw std::invalid_argument("codes, n_levels and columns differ in number");
        for (std::size_t f = 0; f < codes.size(); ++f) {
            check(codes[f].shape(0));
            me::BlockRows block{codes[f].data(), n_levels[f], {}};
            for (std::int64_t r = 0; r < out.n; ++r)
                if (block.codes[r] < 0 || block.codes[r] >= n_levels[f]) throw std::invalid_argument("a code outside its levels");
            for (const auto &z : columns[f]) {
                check(z.shape(0));
                block.columns.push_back(to_column(z));
            }
            out.blocks.push_back(std::move(block));
        }
        return out;
    }
};

inline me::Basis to_basis(const RowArguments &rows, const Matrix &R, const Dense &b0, const std::vector<Matrix> &T) {
    const std::size_t p = rows.X.size();
    bool fits = R.shape(0) == p && R.shape(1) == p && b0.shape(0) == p && T.size() == rows.columns.size();
    for (std::size_t f = 0; fits && f < T.size(); ++f)
        fits = T[f].shape(0) == rows.columns[f].size() && T[f].shape(1) == rows.columns[f].size();
    if (!fits) throw std::invalid_argument("the basis does not fit the columns");
    me::Basis out;
    out.R.assign(R.data(), R.data() + R.size());
    out.b0 = to_vector(b0);
    for (const auto &t : T) out.T.emplace_back(t.data(), t.data() + t.size());
    return out;
}

}  // namespace me::bindings
