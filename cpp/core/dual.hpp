// A number with a derivative along one direction: the exact Hessian is the derivative of the exact gradient.
#pragma once

#include <cmath>

namespace me {

struct Dual {
    double v = 0.0, d = 0.0;
    Dual() = default;
    Dual(double value) : v(value) {}  // NOLINT: a constant is a dual number
    Dual(double value, double derivative) : v(value), d(derivative) {}
    Dual &operator+=(const Dual &o) { return v += o.v, d += o.d, *this; }
    Dual &operator-=(const Dual &o) { return v -= o.v, d -= o.d, *this; }
    Dual &operator*=(const Dual &o) { return d = d * o.v + v * o.d, v *= o.v, *this; }
};

inline Dual operator-(const Dual &a) { return {-a.v, -a.d}; }
inline Dual operator+(Dual a, const Dual &b) { return a += b; }
inline Dual operator-(Dual a, const Dual &b) { return a -= b; }
inline Dual operator*(const Dual &a, const Dual &b) { return {a.v * b.v, a.d * b.v + a.v * b.d}; }
inline Dual operator*(const Dual &a, double b) { return {a.v * b, a.d * b}; }
inline Dual operator*(double a, const Dual &b) { return {a * b.v, a * b.d}; }
inline Dual operator/(const Dual &a, const Dual &b) {
    const double q = a.v / b.v;
    return {q, (a.d - q * b.d) / b.v};
}

inline double value(double x) { return x; }
inline double value(const Dual &x) { return x.v; }
inline double root(double x) { return std::sqrt(x); }
inline Dual root(const Dual &x) {
    const double r = std::sqrt(x.v);
    return {r, 0.5 * x.d / r};
}
inline double logarithm(double x) { return std::log(x); }
inline Dual logarithm(const Dual &x) { return {std::log(x.v), x.d / x.v}; }

}  // namespace me
