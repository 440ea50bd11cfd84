#include "core/quadratic_model.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace me {
namespace {

constexpr double least = 1e-8;  // of the largest curvature: flatter directions count as flat
constexpr double flat = 1e-9;      // the same for steps at saddles
constexpr double negative = 1e-7;  // of the largest eigenvalue: what must be below zero to count as negative
constexpr int shifts = 50;
constexpr double near_radius = 0.01;  // how well a step keeps to the radius

}  // namespace

std::vector<double> curvature_units(const std::vector<double> &B) {
    const auto m = static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(B.size()))));
    std::vector<double> out(m);
    double largest = 1e-300;
    for (std::size_t i = 0; i < m; ++i) largest = std::max(largest, std::abs(B[i * m + i]));
    for (std::size_t i = 0; i < m; ++i) out[i] = std::sqrt(std::max(std::abs(B[i * m + i]), 1e-24 * largest));
    return out;
}

QuadraticModel::QuadraticModel(const std::vector<double> &B, const std::vector<double> &gradient)
    : scale_(curvature_units(B)), g_(gradient.size(), 0.0) {
    const std::size_t m = gradient.size();
    std::vector<double> scaled(B);
    for (std::size_t i = 0; i < m; ++i)
        for (std::size_t j = 0; j < m; ++j) scaled[i * m + j] /= scale_[i] * scale_[j];
    if (m) eigen_ = eigen(std::move(scaled), static_cast<int>(m));
    double largest = 1.0;
    for (std::size_t k = 0; k < m; ++k) {
        largest = std::max(largest, std::abs(eigen_.values[k]));
        for (std::size_t i = 0; i < m; ++i) g_[k] += eigen_.vectors[k * m + i] * gradient[i] / scale_[i];
    }
    floor_ = least * largest;
}

bool QuadraticModel::ok() const {
    return std::all_of(eigen_.values.begin(), eigen_.values.end(), [](double v) { return std::isfinite(v); });
}

double QuadraticModel::decrement() const {
    double sum = 0.0;
    for (std::size_t k = 0; k < g_.size(); ++k) sum += g_[k] * g_[k] / std::max(std::abs(eigen_.values[k]), floor_);
    return 0.5 * sum;
}

std::vector<double> QuadraticModel::step(double radius) const {
    const std::size_t m = g_.size();
    std::vector<double> t(m), out(m, 0.0);
    double shift = m ? std::max(0.0, floor_ - eigen_.values[0]) : 0.0;
    for (int round = 0; round < shifts; ++round) {
        double square = 0.0, curved = 0.0;
        for (std::size_t k = 0; k < m; ++k) {
            t[k] = -g_[k] / (eigen_.values[k] + shift);
            square += t[k] * t[k];
            curved += t[k] * t[k] / (eigen_.values[k] + shift);
        }
        const double length = std::sqrt(square);
        if (length <= (1.0 + near_radius) * radius) break;
        shift += (length / radius - 1.0) * square / curved;
    }
    for (std::size_t k = 0; k < m; ++k)
        for (std::size_t i = 0; i < m; ++i) out[i] += eigen_.vectors[k * m + i] * t[k] / scale_[i];
    return out;
}

SaddleStep saddle_step(const std::vector<double> &gradient, std::vector<double> H, double radius) {
    SaddleStep out;
    const std::size_t m = gradient.size();
    out.ok = true;
    if (!m) return out;
    const Eigen e = eigen(std::move(H), static_cast<int>(m));
    out.ok = std::all_of(e.values.begin(), e.values.end(), [](double v) { return std::isfinite(v); });
    if (!out.ok) return out;
    const double largest = std::max({std::abs(e.values.front()), std::abs(e.values.back()), 1e-300});
    const bool saddle = e.values[0] < -negative * largest;
    std::vector<double> size(m), slope(m, 0.0), along(m);
    double square = 0.0;
    for (std::size_t k = 0; k < m; ++k) {
        size[k] = std::max(std::abs(e.values[k]), flat * largest);
        for (std::size_t i = 0; i < m; ++i) slope[k] += e.vectors[k * m + i] * gradient[i];
        along[k] = -slope[k] / size[k];
        out.decrement -= 0.5 * slope[k] * along[k];
        square += along[k] * along[k];
    }
    if (saddle) out.decrement = std::numeric_limits<double>::infinity();
    const double length = std::sqrt(square);
    if (length > radius) {
        for (double &x : along) x *= radius / length;
    } else if (saddle) {  // along the lowest direction, downhill, as far as the radius lets it
        const double others = std::max(0.0, radius * radius - (square - along[0] * along[0]));
        along[0] = (slope[0] > 0.0 ? -1.0 : 1.0) * std::sqrt(others);
    }
    out.step.assign(m, 0.0);
    out.inverse.assign(m * m, 0.0);
    for (std::size_t k = 0; k < m; ++k) {
        out.gain -= (slope[k] + 0.5 * e.values[k] * along[k]) * along[k];
        const double *v = &e.vectors[k * m];
        for (std::size_t i = 0; i < m; ++i) {
            out.step[i] += v[i] * along[k];
            for (std::size_t j = 0; j < m; ++j) out.inverse[i * m + j] += v[i] * v[j] / size[k];
        }
    }
    return out;
}

}  // namespace me
