#include <limits>
#include <mutex>
#include <stdexcept>
#include <string>

#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>

#include "bindings/arrays.hpp"
#include "core/agq.hpp"
#include "core/glmm.hpp"

namespace nb = nanobind;
using namespace me::bindings;

namespace {

using Rowwise = SquareC;

// A family that is written in Python: called once for all rows.
class PythonKernel : public me::Kernel {
  public:
    PythonKernel(nb::object call, bool dispersion, std::int64_t n) : call_(std::move(call)), dispersion_(dispersion), n_(n) {}
    ~PythonKernel() override {
        nb::gil_scoped_acquire acquire;
        call_.reset();
    }
    bool has_dispersion() const override { return dispersion_; }
    double operator()(const double *eta, double t, int order, me::RowDerivatives &out) const override {
        nb::gil_scoped_acquire acquire;
        const auto view = nb::ndarray<nb::numpy, const double, nb::ndim<1>>(eta, {static_cast<std::size_t>(n_)}, nb::handle());
        const auto result = nb::cast<nb::tuple>(call_(view, t, order));
        std::size_t at = 1;
        auto take = [&](std::vector<double> &target) {
            const auto values = nb::cast<Dense>(result[at++]);
            if (values.shape(0) != static_cast<std::size_t>(n_)) throw std::invalid_argument("a family returned another number of rows");
            std::copy_n(values.data(), n_, target.data());
        };
        take(out.loglik);
        if (order >= 2)
            for (auto *v : {&out.d1, &out.d2, &out.expected}) take(*v);
        if (order >= 3) {
            for (auto *v : {&out.d3, &out.d_expected}) take(*v);
            if (dispersion_)
                for (auto *v : {&out.dt, &out.dt_d1, &out.dt_d2, &out.dt_expected}) take(*v);
        }
        return nb::cast<double>(result[0]);
    }

  private:
    nb::object call_;
    bool dispersion_;
    std::int64_t n_;
};

struct Model {  // keeps the arrays alive while the core reads them
    Rowwise X;
    std::vector<Codes> codes;
    std::vector<Rowwise> Z;
    Dense offset;
    std::vector<Dense> kept;
    std::unique_ptr<me::Glmm> glmm;
    std::unique_ptr<std::mutex> guard = std::make_unique<std::mutex>();  // evaluations write into the plans of the model
};

// One evaluation at a time. The interpreter's lock is let go first: a family written in Python takes it again.
struct Alone {
    explicit Alone(Model &model) : lock(*model.guard) {}
    nb::gil_scoped_release release;
    std::lock_guard<std::mutex> lock;
};

std::shared_ptr<me::Kernel> make_kernel(const std::string &name, const Dense &y, const Dense &w, double constant) {
    const auto n = static_cast<std::int64_t>(y.shape(0));
    if (name == "binomial_logit") return std::make_shared<me::BinomialLogit>(n, y.data(), w.data(), constant);
    if (name == "poisson_log") return std::make_shared<me::PoissonLog>(n, y.data(), w.data(), constant);
    throw std::invalid_argument("an unknown kernel");
}

nb::list by_block(const me::Plan &plan, std::vector<std::vector<double>> values) {
    nb::list out;
    for (std::size_t f = 0; f < values.size(); ++f)
        out.append(to_array(std::move(values[f]), {std::size_t(plan.blocks[f].n_levels), std::size_t(plan.blocks[f].k)}));
    return out;
}

// The s of a mode nearby, once all arguments are known to fit the model.
std::vector<std::vector<double>> starting_modes(const me::Glmm &glmm, const Dense &theta, const Dense &beta,
                                                const std::vector<Rowwise> &start) {
    const me::Plan &plan = glmm.plan();
    if (theta.shape(0) != plan.entries.size() || beta.shape(0) != static_cast<std::size_t>(glmm.p()))
        throw std::invalid_argument("theta or beta has the wrong length");
    std::vector<std::vector<double>> from;
    for (const auto &s : start) from.emplace_back(s.data(), s.data() + s.size());
    bool fits = from.empty() || from.size() == plan.blocks.size();
    for (std::size_t f = 0; fits && f < from.size(); ++f)
        fits = from[f].size() == static_cast<std::size_t>(plan.blocks[f].n_levels) * plan.blocks[f].k;
    if (!fits) throw std::invalid_argument("the start does not fit the model");
    return from;
}

nb::dict to_dict(const me::Glmm &glmm, me::GlmmPoint e, bool gradient, bool joint) {
    const me::Plan &plan = glmm.plan();
    const std::size_t d = plan.entries.size(), p = glmm.p();
    nb::dict out;
    out["ok"] = e.ok;
    out["value"] = e.value;
    out["n_steps"] = e.n_steps;
    if (!e.ok) return out;
    out["loglik"] = e.loglik;
    out["penalty"] = e.penalty;
    out["log_det"] = e.log_det;
    if (gradient) {
        const std::size_t own = joint ? 0 : p;
        out["theta_gradient"] = to_array(std::move(e.theta_gradient), {d});
        out["beta_gradient"] = to_array(std::move(e.beta_gradient), {own});
        out["t_gradient"] = e.t_gradient;
        nb::list G;
        for (std::size_t f = 0; f < e.G.size(); ++f)
            G.append(to_array(std::move(e.G[f]), {std::size_t(plan.blocks[f].k), std::size_t(plan.blocks[f].k)}));
        out["G"] = G;
    }
    if (!e.curvature.empty()) out["curvature"] = to_array(std::move(e.curvature), {d, d});
    if (joint) out["XVX"] = to_array(std::move(e.XVX), {p, p});
    out["beta"] = to_array(std::move(e.beta), {p});
    const std::size_t n = e.eta.size();
    out["eta"] = to_array(std::move(e.eta), {n});
    out["modes"] = by_block(plan, std::move(e.modes));
    out["s"] = by_block(plan, std::move(e.s));
    return out;
}

}  // namespace

void register_glmm(nb::module_ &m) {
    nb::class_<Model>(m, "Glmm")
        .def(
            "__init__",
            [](Model *self, const me::CrossProducts &products, const std::vector<std::vector<int>> &entries, Rowwise X,
               std::vector<Codes> codes, std::vector<Rowwise> Z, Dense offset, nb::object kernel, bool dispersion, Dense y,
               Dense w, double constant) {
                me::WorkingRows rows;
                const std::size_t n = X.shape(0);
                rows.n = static_cast<std::int64_t>(n);
                rows.p = static_cast<int>(X.shape(1));
                rows.X = X.data();
                bool fits = rows.p == products.p && offset.shape(0) == n && y.shape(0) == n && w.shape(0) == n &&
                            codes.size() == products.blocks.size() && Z.size() == codes.size();
                for (std::size_t f = 0; fits && f < Z.size(); ++f) {
                    fits = codes[f].shape(0) == n && Z[f].shape(0) == n && Z[f].shape(1) == static_cast<std::size_t>(products.blocks[f].k);
                    for (std::size_t r = 0; fits && r < n; ++r)
                        fits = codes[f].data()[r] >= 0 && codes[f].data()[r] < products.blocks[f].n_levels;
                    rows.codes.push_back(codes[f].data());
                    rows.Z.push_back(Z[f].data());
                }
                if (!fits) throw std::invalid_argument("the rows do not fit the model");
                std::vector<me::Entry> list;
                for (const auto &e : entries) list.push_back({e.at(0), e.at(1), e.at(2)});
                std::shared_ptr<me::Kernel> made;
                if (nb::isinstance<nb::str>(kernel))
                    made = make_kernel(nb::cast<std::string>(kernel), y, w, constant);
                else
                    made = std::make_shared<PythonKernel>(kernel, dispersion, rows.n);
                auto glmm = std::make_unique<me::Glmm>(products, rows, offset.data(), std::move(list), std::move(made));
                new (self) Model{X, std::move(codes), std::move(Z), offset, {y, w}, std::move(glmm)};
            },
            nb::arg("products"), nb::arg("entries"), nb::arg("X").noconvert(), nb::arg("codes").noconvert(),
            nb::arg("Z").noconvert(), nb::arg("offset").noconvert(), nb::arg("kernel"), nb::arg("dispersion"),
            nb::arg("y").noconvert(), nb::arg("w").noconvert(), nb::arg("constant"))
        .def(
            "evaluate",
            [](Model &self, Dense theta, Dense beta, double t, std::vector<Rowwise> start, bool joint, bool expected,
               bool gradient, double tolerance, bool curvature) {
                const auto from = starting_modes(*self.glmm, theta, beta, start);
                me::GlmmPoint e;
                {
                    const Alone alone(self);
                    e = self.glmm->evaluate(to_vector(theta), to_vector(beta), t, from,
                                            {joint, expected, gradient, tolerance, 100, curvature});
                }
                return to_dict(*self.glmm, std::move(e), gradient, joint);
            },
            nb::arg("theta"), nb::arg("beta"), nb::arg("t"), nb::arg("start"), nb::arg("joint"), nb::arg("expected"),
            nb::arg("gradient"), nb::arg("tolerance"), nb::arg("curvature"))
        .def(
            "linear_start",
            [](Model &self, Dense theta, Dense beta, double t, std::vector<Rowwise> start, double tolerance) -> nb::object {
                const auto from = starting_modes(*self.glmm, theta, beta, start);
                if (from.empty()) throw std::invalid_argument("a start is needed");
                me::LinearStart found;
                {
                    const Alone alone(self);
                    found = self.glmm->linear_start(to_vector(theta), to_vector(beta), t, from, tolerance);
                }
                if (!found.ok) return nb::none();
                const std::size_t d = found.theta.size(), p = found.beta.size();
                nb::dict out;
                out["theta"] = to_array(std::move(found.theta), {d});
                out["beta"] = to_array(std::move(found.beta), {p});
                out["s"] = by_block(self.glmm->plan(), std::move(found.s));
                out["curvature"] = to_array(std::move(found.curvature), {d, d});
                out["XVX"] = to_array(std::move(found.XVX), {p, p});
                return out;
            },
            nb::arg("theta"), nb::arg("beta"), nb::arg("t"), nb::arg("start"), nb::arg("tolerance"))
        .def(
            "hessian",
            [](Model &self, Dense theta, Dense beta, double t, std::vector<Rowwise> start, Dense steps, Dense shift, bool joint, bool expected,
               int n_threads) {
                const auto from = starting_modes(*self.glmm, theta, beta, start);
                const std::size_t m = theta.shape(0) + (joint ? 0 : beta.shape(0)) + self.glmm->kernel().has_dispersion();
                if (steps.shape(0) != m || shift.shape(0) != m || from.empty())
                    throw std::invalid_argument("steps, shift or start have the wrong length");
                std::vector<double> found;
                {
                    const Alone alone(self);
                    found = self.glmm->hessian(to_vector(theta), to_vector(beta), t, from, to_vector(steps), to_vector(shift),
                                               {joint, expected, true}, n_threads);
                }
                if (found.empty()) found.assign(m * m, std::numeric_limits<double>::quiet_NaN());
                return to_array(std::move(found), {m, m});
            },
            nb::arg("theta"), nb::arg("beta"), nb::arg("t"), nb::arg("start"), nb::arg("steps"), nb::arg("shift"), nb::arg("joint"),
            nb::arg("expected"), nb::arg("n_threads"))
        .def(
            "quadrature",
            [](Model &self, Dense theta, Dense beta, double t, std::vector<Rowwise> start, Rowwise nodes, Dense log_weights,
               double tolerance) {
                const auto from = starting_modes(*self.glmm, theta, beta, start);
                const auto &blocks = self.glmm->plan().blocks;
                if (blocks.size() != 1 || nodes.shape(1) != static_cast<std::size_t>(blocks[0].k) || nodes.shape(0) != log_weights.shape(0))
                    throw std::invalid_argument("the nodes do not fit the model");
                const me::Rule rule{blocks[0].k, {nodes.data(), nodes.data() + nodes.size()}, to_vector(log_weights)};
                me::GlmmPoint e;
                {
                    const Alone alone(self);
                    e = me::quadrature(*self.glmm, rule, to_vector(theta), to_vector(beta), t, from, tolerance);
                }
                return to_dict(*self.glmm, std::move(e), true, false);
            },
            nb::arg("theta"), nb::arg("beta"), nb::arg("t"), nb::arg("start"), nb::arg("nodes").noconvert(),
            nb::arg("log_weights"), nb::arg("tolerance"));
}
