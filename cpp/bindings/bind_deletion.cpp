#include <limits>
#include <stdexcept>

#include "bindings/rows.hpp"
#include "core/deletion.hpp"
#include "core/parallel.hpp"

namespace nb = nanobind;
using namespace me::bindings;

namespace {

using Positions = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

struct Found {  // by set of rows
    std::vector<double> theta, beta, XVX, value, rss;
    std::vector<std::int32_t> n_evaluations;
    std::vector<std::uint8_t> converged;
};

void store(Found &found, int i, const me::Deletion &d, std::size_t n_theta, std::size_t p) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    for (std::size_t e = 0; e < n_theta; ++e) found.theta[i * n_theta + e] = d.ok ? d.theta[e] : nan;
    for (std::size_t b = 0; b < p; ++b) found.beta[i * p + b] = d.ok ? d.beta[b] : nan;
    for (std::size_t b = 0; b < p * p; ++b) found.XVX[i * p * p + b] = d.ok ? d.XVX[b] : nan;
    found.value[i] = d.ok ? d.value : nan;
    found.rss[i] = d.ok ? d.rss : nan;
    found.n_evaluations[i] = d.n_evaluations;
    found.converged[i] = d.ok && d.converged;
}

void check(const Positions &order, const Positions &start, std::int64_t n) {
    const std::size_t m = start.shape(0);
    bool fits = m > 0 && start.data()[0] == 0 && start.data()[m - 1] == static_cast<std::int64_t>(order.shape(0));
    for (std::size_t i = 1; fits && i < m; ++i) fits = start.data()[i - 1] <= start.data()[i];
    for (std::size_t i = 0; fits && i < order.shape(0); ++i) fits = order.data()[i] >= 0 && order.data()[i] < n;
    if (!fits) throw std::invalid_argument("the sets of rows do not fit the data");
}

}  // namespace

void register_deletion(nb::module_ &m) {
    m.def(
        "deletions",
        [](const me::CrossProducts &products, const me::Criterion &criterion, std::vector<Vector> X, Vector y,
           std::optional<Dense> weights, std::vector<Codes> codes, std::vector<int> n_levels,
           std::vector<std::vector<Vector>> columns, Matrix R, Dense b0, std::vector<Matrix> T, Positions order,
           Positions start, Dense theta, std::optional<SquareC> curvature, bool refit, double tolerance, int max_evaluations, int n_threads) {
            const RowArguments arguments{std::move(X), y, weights, std::move(codes), std::move(n_levels), std::move(columns)};
            const me::Basis basis = to_basis(arguments, R, b0, T);
            const me::Rows rows = arguments.rows();
            check(order, start, rows.n);
            const std::vector<double> from = to_vector(theta);
            if (static_cast<int>(from.size()) != criterion.n_theta()) throw std::invalid_argument("theta has the wrong length");
            me::DeletionOptions options{refit, {}, tolerance, max_evaluations};
            if (curvature) options.curvature.assign(curvature->data(), curvature->data() + curvature->size());
            if (curvature && curvature->size() != from.size() * from.size()) throw std::invalid_argument("the curvature has the wrong size");
            const std::size_t n = start.shape(0) - 1, d = from.size(), p = basis.b0.size();
            Found found{std::vector<double>(n * d), std::vector<double>(n * p), std::vector<double>(n * p * p),
                        std::vector<double>(n), std::vector<double>(n), std::vector<std::int32_t>(n),
                        std::vector<std::uint8_t>(n)};
            {
                nb::gil_scoped_release release;
                me::for_each_task(static_cast<int>(n), n_threads, [&](int i) {
                    const std::int64_t first = start.data()[i], count = start.data()[i + 1] - first;
                    store(found, i,
                          me::deletion(products, rows, basis, order.data() + first, count, criterion, from, options),
                          d, p);
                });
            }
            nb::dict out;
            out["theta"] = to_array(std::move(found.theta), {n, d});
            out["beta"] = to_array(std::move(found.beta), {n, p});
            out["XVX"] = to_array(std::move(found.XVX), {n, p, p});
            out["value"] = to_array(std::move(found.value), {n});
            out["rss"] = to_array(std::move(found.rss), {n});
            out["n_evaluations"] = to_array(std::move(found.n_evaluations), {n});
            out["converged"] = to_array(std::move(found.converged), {n});
            return out;
        },
        nb::arg("products"), nb::arg("criterion"), nb::arg("X").noconvert(), nb::arg("y").noconvert(),
        nb::arg("weights").none().noconvert(), nb::arg("codes").noconvert(), nb::arg("n_levels"), nb::arg("columns").noconvert(),
        nb::arg("R").noconvert(), nb::arg("b0").noconvert(), nb::arg("T").noconvert(), nb::arg("order").noconvert(),
        nb::arg("start").noconvert(), nb::arg("theta"), nb::arg("curvature").none(), nb::arg("refit"), nb::arg("tolerance"), nb::arg("max_evaluations"),
        nb::arg("n_threads"));
}
