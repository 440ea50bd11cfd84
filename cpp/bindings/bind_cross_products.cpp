#include "bindings/rows.hpp"

namespace nb = nanobind;
using namespace me::bindings;

void register_cross_products(nb::module_ &m) {
    m.def(
        "triangular_factor",
        [](const std::vector<Vector> &columns, std::optional<Dense> weights, int n_threads) {
            std::vector<me::Column> views;
            const std::size_t c = columns.size();
            for (const auto &column : columns) {
                if (column.shape(0) != columns[0].shape(0)) throw std::invalid_argument("columns of different lengths");
                views.push_back(to_column(column));
            }
            if (weights && c && weights->shape(0) != columns[0].shape(0)) throw std::invalid_argument("weights of another length");
            std::vector<double> R;
            {
                nb::gil_scoped_release release;
                R = me::triangular_factor(c ? static_cast<std::int64_t>(columns[0].shape(0)) : 0, views,
                                          weights ? weights->data() : nullptr, n_threads);
            }
            std::vector<double> out(R.size());
            for (std::size_t i = 0; i < c; ++i)
                for (std::size_t j = 0; j < c; ++j) out[i * c + j] = R[j * c + i];
            return to_array(std::move(out), {c, c});
        },
        nb::arg("columns").noconvert(), nb::arg("weights").none().noconvert(), nb::arg("n_threads"));

    nb::class_<me::CrossProducts>(m, "CrossProducts")
        .def_ro("n", &me::CrossProducts::n)
        .def_ro("p", &me::CrossProducts::p)
        .def_ro("yy", &me::CrossProducts::yy)
        .def_ro("sum_log_weights", &me::CrossProducts::sum_log_weights)
        .def_prop_ro("XX", [](const me::CrossProducts &c) { return to_array(c.XX, {std::size_t(c.p), std::size_t(c.p)}); }, nb::rv_policy::move)
        .def_prop_ro("Xy", [](const me::CrossProducts &c) { return to_array(c.Xy, {c.Xy.size()}); }, nb::rv_policy::move)
        .def("block",
             [](const me::CrossProducts &c, std::size_t f) {
                 const auto &b = c.blocks.at(f);
                 const std::size_t J = b.n_levels, k = b.k;
                 return nb::make_tuple(to_array(b.ZZ, {J, k, k}), to_array(b.ZX, {J, k, std::size_t(c.p)}), to_array(b.Zy, {J, k}));
             })
        .def("pair",
             [](const me::CrossProducts &c, int f, int g) {
                 const int F = static_cast<int>(c.blocks.size());
                 if (f < 0 || f >= g || g >= F) throw std::invalid_argument("pair(f, g) needs f < g");
                 const auto &pair = c.pairs[me::CrossProducts::pair_index(f, g, F)];
                 return nb::make_tuple(
                     to_array(pair.start, {pair.start.size()}), to_array(pair.level, {pair.level.size()}),
                     to_array(pair.value, {pair.level.size(), std::size_t(c.blocks[f].k), std::size_t(c.blocks[g].k)}));
             })
        .def("__add__", [](const me::CrossProducts &a, const me::CrossProducts &b) {
            nb::gil_scoped_release release;
            return me::add(a, b);
        });

    m.def(
        "cross_products",
        [](std::vector<Vector> X, Vector y, std::optional<Dense> weights, std::vector<Codes> codes,
           std::vector<int> n_levels, std::vector<std::vector<Vector>> columns, Matrix R, Dense b0,
           std::vector<Matrix> T, int n_threads) {
            const RowArguments arguments{std::move(X), y, weights, std::move(codes), std::move(n_levels), std::move(columns)};
            const me::Basis basis = to_basis(arguments, R, b0, T);
            nb::gil_scoped_release release;
            return me::cross_products(arguments.rows(), basis, n_threads);
        },
        nb::arg("X").noconvert(), nb::arg("y").noconvert(), nb::arg("weights").none().noconvert(), nb::arg("codes").noconvert(), nb::arg("n_levels"), nb::arg("columns").noconvert(),
        nb::arg("R").noconvert(), nb::arg("b0").noconvert(), nb::arg("T").noconvert(), nb::arg("n_threads"));

    m.def(
        "response_products",
        [](const me::CrossProducts &old, std::vector<Vector> X, Vector y, std::optional<Dense> weights,
           std::vector<Codes> codes, std::vector<int> n_levels, std::vector<std::vector<Vector>> columns, Matrix R,
           Dense b0, std::vector<Matrix> T) {
            const RowArguments arguments{std::move(X), y, weights, std::move(codes), std::move(n_levels), std::move(columns)};
            const me::Basis basis = to_basis(arguments, R, b0, T);
            nb::gil_scoped_release release;
            me::CrossProducts out = old;
            me::Response fresh = me::response_products(arguments.rows(), basis);
            out.Xy = std::move(fresh.Xy);
            out.yy = fresh.yy;
            for (std::size_t f = 0; f < out.blocks.size(); ++f) out.blocks[f].Zy = std::move(fresh.Zy[f]);
            return out;
        },
        nb::arg("products"), nb::arg("X").noconvert(), nb::arg("y").noconvert(), nb::arg("weights").none().noconvert(), nb::arg("codes").noconvert(),
        nb::arg("n_levels"), nb::arg("columns").noconvert(), nb::arg("R").noconvert(), nb::arg("b0").noconvert(), nb::arg("T").noconvert());
}
