// Trust-region steps for the searches that are driven from Python. No arithmetic here.
#include "bindings/arrays.hpp"
#include "core/quadratic_model.hpp"

namespace nb = nanobind;
using namespace me::bindings;

namespace {

me::QuadraticModel make_model(const SquareC &B, const Dense &gradient) {
    if (B.shape(0) != B.shape(1) || B.shape(0) != gradient.shape(0)) throw std::invalid_argument("curvature and gradient do not fit");
    me::QuadraticModel model({B.data(), B.data() + B.size()}, to_vector(gradient));
    if (!model.ok()) {
        const nb::object error = nb::module_::import_("numpy.linalg").attr("LinAlgError");
        PyErr_SetString(error.ptr(), "the curvature is not finite");
        throw nb::python_error();
    }
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
}
