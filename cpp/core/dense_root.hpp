// The dense block with X and y, after every eliminated level has been absorbed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/dual.hpp"
#include "core/memory.hpp"
#include "core/plan.hpp"

namespace me {

// A symmetric matrix (lower triangle, column-major) with a derivative beside it when T is Dual.
template <class T>
struct Symmetric {
    std::int64_t n = 0;
    std::vector<double> v, d;
    void assign(std::int64_t size, const std::vector<double> &values);
    void resize(std::int64_t size);  // contents undefined
    void copy(std::int64_t first, std::int64_t last, const std::vector<double> &values);
    void add(std::int64_t at, const T &x);
    T get(std::int64_t at) const;
};

template <>
inline void Symmetric<double>::assign(std::int64_t size, const std::vector<double> &values) {
    n = size;
    v = values;
}
template <>
inline void Symmetric<Dual>::assign(std::int64_t size, const std::vector<double> &values) {
    n = size;
    v = values;
    d.assign(values.size(), 0.0);
}
template <>
inline void Symmetric<double>::resize(std::int64_t size) {
    n = size;
    resize_large(v, static_cast<std::size_t>(size) * size);
}
template <>
inline void Symmetric<Dual>::resize(std::int64_t size) {
    n = size;
    v.resize(static_cast<std::size_t>(size) * size);
    d.resize(v.size());
}
template <>
inline void Symmetric<double>::copy(std::int64_t first, std::int64_t last, const std::vector<double> &values) {
    std::copy(values.begin() + first, values.begin() + last, v.begin() + first);
}
template <>
inline void Symmetric<Dual>::copy(std::int64_t first, std::int64_t last, const std::vector<double> &values) {
    std::copy(values.begin() + first, values.begin() + last, v.begin() + first);
    std::fill(d.begin() + first, d.begin() + last, 0.0);
}
template <>
inline void Symmetric<double>::add(std::int64_t at, const double &x) {
    v[at] += x;
}
template <>
inline void Symmetric<Dual>::add(std::int64_t at, const Dual &x) {
    v[at] += x.v;
    d[at] += x.d;
}
template <>
inline double Symmetric<double>::get(std::int64_t at) const {
    return v[at];
}
template <>
inline Dual Symmetric<Dual>::get(std::int64_t at) const {
    return {v[at], d[at]};
}

template <class T>
struct Factors {  // by block, row-major K x K
    std::vector<std::vector<T>> Lambda, S;
};

template <class T>
struct Root {
    // In: cross-products under the variance of all eliminated levels.
    Symmetric<T> A;       // Q x Q
    std::vector<T> AX;    // Q x p, column-major
    std::vector<T> Ay;    // Q
    std::vector<T> XX;    // p x p
    std::vector<T> Xy;    // p
    T yy = T(0.0);

    // Out.
    T log_det = T(0.0);     // log|M| of the dense block
    T log_det_X = T(0.0);   // log|X'V^-1X|
    T rss = T(0.0);
    std::vector<T> XVX;        // p x p
    std::vector<T> XVX_inverse;
    std::vector<T> beta;       // p
    Symmetric<T> K;            // Lambda M^-1 Lambda'
    std::vector<T> Upsilon;    // Q x p: -K AX, column-major
    std::vector<T> modes;      // Q
    std::vector<T> s, U;       // Z'Py (Q) and Z'V^-1X (Q x p) of the dense block
    std::vector<std::vector<T>> H;  // by block: sum over levels of the diagonal blocks of Z'V^-1Z

    // Both return false when a factorisation fails.
    bool solve(const Plan &plan, const Factors<T> &factors);       // up to rss, beta and modes
    void differentiate(const Plan &plan, const Factors<T> &factors);  // K, Upsilon, s, U and H, after solve()
    void residual(const Plan &plan);                                  // s alone, after solve()
    std::vector<double> M;  // inverse of the Cholesky factor of the dense block, between solve() and differentiate()

  private:
    bool solve_fixed(int p);
};

}  // namespace me
