// A quadratic model of a smooth function at a point, by the eigenvalues of the curvature in units in which its diagonal is 1.
#pragma once

#include <vector>

#include "core/eigen.hpp"

namespace me {

// For each parameter the root of its curvature; B is m x m.
std::vector<double> curvature_units(const std::vector<double> &B);

class QuadraticModel {
  public:
    QuadraticModel(const std::vector<double> &B, const std::vector<double> &gradient);

    bool ok() const;  // false: the curvature has no eigenvalues, as it is not finite
    const std::vector<double> &scale() const { return scale_; }
    double decrement() const;  // half of g'|B|^-1 g

    // The minimum of the model within the radius, in scaled units: (B + shift) step = -g. The shift is found by Newton's
    // method (More & Sorensen 1983, SIAM J. Sci. Stat. Comput. 4, 553-572).
    std::vector<double> step(double radius) const;

  private:
    std::vector<double> scale_;
    Eigen eigen_;
    std::vector<double> g_;  // the gradient in the eigenvectors
    double floor_ = 0.0;     // smaller eigenvalues count as flat
};

// A Newton step within a radius in given units; curvature below zero counts by its size, and is followed up to the radius.
struct SaddleStep {
    bool ok = false;  // false: the curvature has no eigenvalues, as it is not finite
    std::vector<double> step;
    double gain = 0.0;       // what the step should lower the function by
    double decrement = 0.0;  // half of g'H^-1 g; infinite where there is negative curvature
    std::vector<double> inverse;  // m x m, of the curvature by its size
};

SaddleStep saddle_step(const std::vector<double> &gradient, std::vector<double> H, double radius);

}  // namespace me
