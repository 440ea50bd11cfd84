// Conversions between NumPy arrays and the core's plain vectors. No arithmetic here.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/vector.h>

#include <initializer_list>
#include <optional>
#include <utility>
#include <vector>

#include "core/cross_products.hpp"

namespace me::bindings {

namespace nb = nanobind;

using Vector = nb::ndarray<const double, nb::ndim<1>, nb::device::cpu>;
using Dense = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Codes = nb::ndarray<const std::int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Matrix = nb::ndarray<const double, nb::ndim<2>, nb::f_contig, nb::device::cpu>;
using SquareC = nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

// An array that owns a moved-in vector.
template <class T>
nb::ndarray<nb::numpy, T> to_array(std::vector<T> values, std::initializer_list<std::size_t> shape) {
    auto *owned = new std::vector<T>(std::move(values));
    nb::capsule owner(owned, [](void *p) noexcept { delete static_cast<std::vector<T> *>(p); });
    return nb::ndarray<nb::numpy, T>(owned->data(), shape, owner);
}

inline std::vector<double> to_vector(const Dense &array) { return {array.data(), array.data() + array.shape(0)}; }

inline Column to_column(const Vector &array) { return {array.data(), array.stride(0)}; }

}  // namespace me::bindings
