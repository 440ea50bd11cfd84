#include <algorithm>
#include <limits>
#include <stdexcept>

#include "bindings/rows.hpp"
#include "core/criterion.hpp"
#include "core/newton.hpp"
#include "core/parallel.hpp"
#include "core/row_functionals.hpp"

namespace nb = nanobind;
using namespace me::bindings;

namespace {

using Rowwise = SquareC;

me::Transform to_transform(const std::optional<std::vector<SquareC>> &matrices) {
    me::Transform out;
    if (matrices)
        for (const auto &t : *matrices) out.emplace_back(t.data(), t.data() + t.size());
    return out;
}

std::vector<double> to_theta(const me::Criterion &criterion, const Dense &theta) {
    if (static_cast<int>(theta.shape(0)) != criterion.n_theta()) throw std::invalid_argument("theta has the wrong length");
    return to_vector(theta);
}

nb::list by_block(const me::Plan &plan, std::vector<std::vector<double>> values, int order) {
    nb::list out;
    for (std::size_t f = 0; f < values.size(); ++f) {
        const std::size_t J = plan.blocks[f].n_levels, k = plan.blocks[f].k;
        if (order == 1) out.append(to_array(std::move(values[f]), {J, k}));
        if (order == 2) out.append(to_array(std::move(values[f]), {k, k}));
        if (order == 3) out.append(to_array(std::move(values[f]), {J, k, k}));
    }
    return out;
}

nb::dict to_dict(const me::Plan &plan, me::Evaluation &&e) {
    nb::dict out;
    const std::size_t d = plan.entries.size(), p = plan.p;
    out["ok"] = e.ok;
    out["value"] = e.value;
    out["rss"] = e.rss;
    if (!e.ok) return out;
    out["beta"] = to_array(std::move(e.beta), {p});
    out["XVX"] = to_array(std::move(e.XVX), {p, p});
    if (e.modes.empty()) return out;
    out["gradient"] = to_array(std::move(e.gradient), {d});
    out["curvature"] = to_array(std::move(e.curvature), {d, d});
    out["modes"] = by_block(plan, std::move(e.modes), 1);
    out["s"] = by_block(plan, std::move(e.s), 1);
    out["G"] = by_block(plan, std::move(e.G), 2);
    return out;
}

// Fits the same model to one response after another: one pass over the rows for Z'Wy and X'Wy, then the optimizer.
struct Refitter {
    RowArguments arguments;
    me::Rows rows;
    me::Basis basis;
    me::Criterion criterion;

    nb::tuple operator()(Vector y, double tolerance, int max_evaluations) const {
        if (static_cast<std::int64_t>(y.shape(0)) != rows.n) throw std::invalid_argument("y has the wrong length");
        me::Rows with_y = rows;
        with_y.y = to_column(y);
        me::NewtonResult r;
        {
            nb::gil_scoped_release release;
            const me::Criterion fresh = criterion.with_response(me::response_products(with_y, basis));
            r = me::minimize(fresh, fresh.moment_start(), {tolerance, max_evaluations, 1});
        }
        const std::size_t p = basis.b0.size(), d = r.theta.size();
        if (!r.evaluation.ok) {
            constexpr double nan = std::numeric_limits<double>::quiet_NaN();
            r.evaluation.value = r.evaluation.rss = nan;
            r.evaluation.beta.assign(p, nan);
            std::fill(r.theta.begin(), r.theta.end(), nan);
        }
        return nb::make_tuple(to_array(std::move(r.theta), {d}), r.evaluation.value, to_array(std::move(r.evaluation.beta), {p}),
                              r.evaluation.rss, r.converged, r.n_evaluations);
    }
};

}  // namespace

void register_criterion(nb::module_ &m) {
    m.def("dense_size", &me::dense_size, nb::arg("products"));

    nb::class_<Refitter>(m, "Refitter")
        .def(
            "__init__",
            [](Refitter *self, const me::Criterion &criterion, std::vector<Vector> X, Vector y, std::optional<Dense> weights,
               std::vector<Codes> codes, std::vector<int> n_levels, std::vector<std::vector<Vector>> columns, Matrix R,
               Dense b0, std::vector<Matrix> T) {
                RowArguments arguments{std::move(X), y, weights, std::move(codes), std::move(n_levels), std::move(columns)};
                me::Rows rows = arguments.rows();
                me::Basis basis = to_basis(arguments, R, b0, T);
                new (self) Refitter{std::move(arguments), std::move(rows), std::move(basis), criterion};
            },
            nb::arg("criterion"), nb::arg("X").noconvert(), nb::arg("y").noconvert(), nb::arg("weights").none().noconvert(), nb::arg("codes").noconvert(), nb::arg("n_levels"),
            nb::arg("columns").noconvert(), nb::arg("R").noconvert(), nb::arg("b0").noconvert(), nb::arg("T").noconvert())
        .def("__call__", &Refitter::operator(), nb::arg("y").noconvert(), nb::arg("tolerance"), nb::arg("max_evaluations"));

    nb::class_<me::Criterion>(m, "Criterion")
        .def(
            "__init__",
            [](me::Criterion *self, const me::CrossProducts &products, const std::vector<std::vector<int>> &entries,
               bool reml, double log_det_R) {
                std::vector<me::Entry> list;
                for (const auto &e : entries) list.push_back({e.at(0), e.at(1), e.at(2)});
                nb::gil_scoped_release release;
                new (self) me::Criterion(me::make_plan(products, std::move(list)), me::response_of(products), reml, log_det_R);
            },
            nb::arg("products"), nb::arg("entries"), nb::arg("reml"), nb::arg("log_det_R"))
        .def_prop_ro("n_theta", &me::Criterion::n_theta)
        .def_prop_ro("reml", &me::Criterion::reml)
        .def_prop_ro("dense_size", [](const me::Criterion &c) { return c.plan().Q; })
        .def_prop_ro(
            "moments",
            [](const me::Criterion &c) {
                const std::size_t width = c.plan().entries.size() + 1;
                return to_array(c.plan().moments, {width, width});
            },
            nb::rv_policy::move)
        .def_prop_ro("hessian_is_dear", [](const me::Criterion &c) { return c.plan().hessian_is_dear; })
        .def_prop_ro("eliminated",
                     [](const me::Criterion &c) {
                         std::vector<int> out;
                         for (const auto &stage : c.plan().stages) out.push_back(stage.block);
                         return out;
                     })
        .def(
            "evaluate",
            [](const me::Criterion &c, Dense theta, std::optional<std::vector<SquareC>> transform, bool derivatives) {
                const auto at = to_theta(c, theta);
                const auto change = to_transform(transform);
                me::Evaluation e;
                {
                    nb::gil_scoped_release release;
                    e = c.evaluate(at, change, derivatives ? me::Want::derivatives : me::Want::value);
                }
                return to_dict(c.plan(), std::move(e));
            },
            nb::arg("theta"), nb::arg("transform").none(), nb::arg("derivatives"))
        .def(
            "hessian",
            [](const me::Criterion &c, Dense theta, std::optional<std::vector<SquareC>> transform) -> nb::object {
                const auto at = to_theta(c, theta);
                const auto change = to_transform(transform);
                std::vector<double> h;
                {
                    nb::gil_scoped_release release;
                    h = c.hessian(at, change);
                }
                const std::size_t d = c.n_theta();
                if (h.size() != d * d) return nb::none();
                return nb::cast(to_array(std::move(h), {d, d}));
            },
            nb::arg("theta"), nb::arg("transform").none())
        .def(
            "conditional_variances",
            [](const me::Criterion &c, Dense theta, std::optional<std::vector<SquareC>> transform) {
                const auto at = to_theta(c, theta);
                const auto change = to_transform(transform);
                std::vector<std::vector<double>> v;
                {
                    nb::gil_scoped_release release;
                    v = c.conditional_variances(at, change);
                }
                return by_block(c.plan(), std::move(v), 3);
            },
            nb::arg("theta"), nb::arg("transform").none())
        .def(
            "functionals",
            [](const me::Criterion &c, Dense theta, Rowwise X, std::vector<Codes> codes, std::vector<Rowwise> Z,
               int n_threads) -> nb::object {
                const auto at = to_theta(c, theta);
                const me::Plan &plan = c.plan();
                const std::size_t n = X.shape(0), p = plan.p;
                bool fits = X.shape(1) == p && codes.size() == plan.blocks.size() && Z.size() == plan.blocks.size();
                me::FunctionalRows rows;
                rows.n = static_cast<std::int64_t>(n);
                rows.X = X.data();
                for (std::size_t f = 0; fits && f < Z.size(); ++f) {
                    fits = codes[f].shape(0) == n && Z[f].shape(0) == n && Z[f].shape(1) == static_cast<std::size_t>(plan.blocks[f].k);
                    for (std::size_t r = 0; fits && r < n; ++r) fits = codes[f].data()[r] < plan.blocks[f].n_levels;
                    rows.codes.push_back(codes[f].data());
                    rows.Z.push_back(Z[f].data());
                }
                if (!fits) throw std::invalid_argument("the rows do not fit the model");
                std::vector<double> conditional(n), fixed(n * p);
                bool ok;
                {
                    nb::gil_scoped_release release;
                    ok = c.functionals(at, rows, n_threads, conditional.data(), fixed.data());
                }
                if (!ok) return nb::none();
                return nb::make_tuple(to_array(std::move(conditional), {n}), to_array(std::move(fixed), {n, p}));
            },
            nb::arg("theta"), nb::arg("X").noconvert(), nb::arg("codes").noconvert(), nb::arg("Z").noconvert(),
            nb::arg("n_threads"))
        .def(
            "effect_moments",
            [](const me::Criterion &c, Dense theta) -> nb::object {
                const auto at = to_theta(c, theta);
                me::EffectMoments m;
                {
                    nb::gil_scoped_release release;
                    m = c.effect_moments(at);
                }
                if (m.dH.empty()) return nb::none();
                const auto &blocks = c.plan().blocks;
                const std::size_t p = c.plan().p;
                auto list = [&](std::vector<std::vector<double>> &values, bool wide) {
                    nb::list out;
                    for (std::size_t f = 0; f < values.size(); ++f) {
                        const std::size_t k = blocks[f].k;
                        if (wide) out.append(to_array(std::move(values[f]), {k, k, p, p}));
                        else out.append(to_array(std::move(values[f]), {k, k}));
                    }
                    return out;
                };
                nb::list dH, dUU;
                for (auto &d : m.dH) dH.append(list(d, false));
                for (auto &d : m.dUU) dUU.append(list(d, true));
                nb::dict out;
                out["H"] = list(m.H, false);
                out["UU"] = list(m.UU, true);
                out["dH"] = dH;
                out["dUU"] = dUU;
                out["XVX"] = to_array(std::move(m.XVX), {p, p});
                return out;
            },
            nb::arg("theta"))
        .def("moment_start",
             [](const me::Criterion &c) { return to_array(c.moment_start(), {std::size_t(c.n_theta())}); })
        .def(
            "minimize",
            [](const me::Criterion &c, Dense start, double tolerance, int max_evaluations, int n_threads) {
                const auto from = to_theta(c, start);
                me::NewtonResult r;
                {
                    nb::gil_scoped_release release;
                    r = me::minimize(c, from, {tolerance, max_evaluations, n_threads});
                }
                nb::dict out;
                out["theta"] = to_array(std::move(r.theta), {std::size_t(c.n_theta())});
                out["evaluation"] = to_dict(c.plan(), std::move(r.evaluation));
                out["decrement"] = r.decrement;
                out["converged"] = r.converged;
                out["n_evaluations"] = r.n_evaluations;
                out["n_hessians"] = r.n_hessians;
                nb::list trace;
                for (const auto &t : r.trace)
                    trace.append(nb::make_tuple(t.value, t.decrement, t.radius, t.step_norm, t.accepted, t.exact));
                out["trace"] = trace;
                return out;
            },
            nb::arg("start"), nb::arg("tolerance"), nb::arg("max_evaluations"), nb::arg("n_threads") = 1)
        .def(
            "minimize_many",
            [](const me::Criterion &c, std::vector<Rowwise> Zy, Rowwise Xy, Dense yy, double tolerance, int max_evaluations,
               int n_threads) {
                const me::Plan &plan = c.plan();
                const std::size_t n = yy.shape(0), p = plan.p, d = plan.entries.size();
                bool fits = Zy.size() == plan.blocks.size() && Xy.shape(0) == n && Xy.shape(1) == p;
                for (std::size_t f = 0; fits && f < Zy.size(); ++f)
                    fits = Zy[f].shape(0) == n &&
                           Zy[f].shape(1) == static_cast<std::size_t>(plan.blocks[f].n_levels) * plan.blocks[f].k;
                if (!fits) throw std::invalid_argument("the responses do not fit the design");
                std::vector<double> theta(n * d), value(n), beta(n * p), rss(n), decrement(n);
                std::vector<std::int32_t> evaluations(n);
                {
                    nb::gil_scoped_release release;
                    const double nan = std::numeric_limits<double>::quiet_NaN();
                    me::for_each_task(static_cast<int>(n), n_threads, [&](int i) {
                        me::Response response;
                        response.Xy.assign(Xy.data() + i * p, Xy.data() + (i + 1) * p);
                        response.yy = yy.data()[i];
                        for (const auto &z : Zy) response.Zy.emplace_back(z.data() + i * z.shape(1), z.data() + (i + 1) * z.shape(1));
                        const me::Criterion one = c.with_response(std::move(response));
                        const me::NewtonResult r = me::minimize(one, one.moment_start(), {tolerance, max_evaluations, 1});
                        const bool ok = r.evaluation.ok;
                        for (std::size_t e = 0; e < d; ++e) theta[i * d + e] = ok ? r.theta[e] : nan;
                        for (std::size_t b = 0; b < p; ++b) beta[i * p + b] = ok ? r.evaluation.beta[b] : nan;
                        value[i] = ok ? r.evaluation.value : nan;
                        rss[i] = ok ? r.evaluation.rss : nan;
                        decrement[i] = ok && r.converged ? r.decrement : nan;
                        evaluations[i] = r.n_evaluations;
                    });
                }
                nb::dict out;
                out["theta"] = to_array(std::move(theta), {n, d});
                out["value"] = to_array(std::move(value), {n});
                out["beta"] = to_array(std::move(beta), {n, p});
                out["rss"] = to_array(std::move(rss), {n});
                out["decrement"] = to_array(std::move(decrement), {n});
                out["n_evaluations"] = to_array(std::move(evaluations), {n});
                return out;
            },
            nb::arg("Zy"), nb::arg("Xy"), nb::arg("yy"), nb::arg("tolerance"), nb::arg("max_evaluations"), nb::arg("n_threads"))
        .def("with_response", [](const me::Criterion &c, const me::CrossProducts &products) {
            return c.with_response(me::response_of(products));
        });
}
