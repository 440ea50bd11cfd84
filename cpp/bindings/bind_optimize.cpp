// Trust-region steps for the searches that are driven from Python. No arithmetic here.
#include "bindings/arrays.hpp"
#include "core/quadratic_model.hpp"

namespace nb = nanobind;
using namespace me::bindings;

namespace {

std::vector<double> to_matrix(const SquareC &H, const Dense &gradient) {
    if (H.shape(0) != H.shape(1) || H.shape(0) != gradient.shape(0)) throw std::invalid_argument("curvature and gradient do not fit");
    return {H.data(), H.data() + H.size()};
}

void check(bool ok) {
    if (ok) return;
    const nb::object error = nb::module_::import_("numpy.linalg").attr("LinAlgError");
    PyErr_SetString(error.ptr(), "the curvature is not finite");
    throw nb::python_error();
}

me::QuadraticModel make_model(const SquareC &B, const Dense &gradient) {
    me::QuadraticModel model(to_matrix(B, gradient), to_vector(gradient));
    check(model.ok());
    return model;
}

}  // namespace

void register_optimize(nb::module_ &m) {
    nb::class_<me::QuadraticModel>(m, "QuadraticModel")
        .def(
            "__init__", [](me::QuadraticModel *self, SquareC B, Dense gradient) { new (self) me::QuadraticModel(make_model(B, gradient)); },
            nb::arg("curvature"), nb::arg("gradient"))
        .def_prop_ro("scale",
                     [](const me::QuadraticModel &self) {
                         return to_array(std::vector<double>(self.scale()), {self.scale().size()});
                     }, nb::rv_policy::reference)
        .def_prop_ro("decrement", &me::QuadraticModel::decrement)
        .def(
            "step",
            [](const me::QuadraticModel &self, double radius) {
                std::vector<double> found = self.step(radius);
                const std::size_t size = found.size();
                return to_array(std::move(found), {size});
            },
            nb::arg("radius"));
    m.def(
        "saddle_step",
        [](Dense gradient, SquareC hessian, double radius) {
            me::SaddleStep found = me::saddle_step(to_vector(gradient), to_matrix(hessian, gradient), radius);
            check(found.ok);
            const std::size_t size = gradient.shape(0);
            return nb::make_tuple(to_array(std::move(found.step), {size}), found.gain, found.decrement,
                                  to_array(std::move(found.inverse), {size, size}));
        },
        nb::arg("gradient"), nb::arg("hessian"), nb::arg("radius"));
}
