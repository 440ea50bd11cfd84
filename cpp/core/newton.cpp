#include "core/newton.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/eigen.hpp"
#include "core/sweep.hpp"

namespace me {
namespace {

double norm(const std::vector<double> &x) {
    double sum = 0.0;
    for (double v : x) sum += v * v;
    return std::sqrt(sum);
}

// A quadratic model of the criterion around a point, in the eigenvectors of its curvature.
class Model {
  public:
    Model(const std::vector<double> &gradient, const std::vector<double> &curvature)
        : n_(static_cast<int>(gradient.size())), eigen_(eigen(curvature, n_)), g_(n_, 0.0) {
        double largest = 1.0;
        for (int k = 0; k < n_; ++k) {
            largest = std::max(largest, std::abs(eigen_.values[k]));
            for (int i = 0; i < n_; ++i) g_[k] += eigen_.vectors[k * n_ + i] * gradient[i];
        }
        floor_ = 1e-8 * largest;
    }

    // Half of g' H^-1 g: what a Newton step would gain.
    double decrement() const {
        double sum = 0.0;
        for (int k = 0; k < n_; ++k) sum += g_[k] * g_[k] / std::max(std::abs(eigen_.values[k]), floor_);
        return 0.5 * sum;
    }

    bool falls_away() const { return n_ > 0 && eigen_.values[0] < -100.0 * floor_; }

    std::vector<double> step(double radius) const {
        double low = std::max(0.0, floor_ - eigen_.values[0]);
        std::vector<double> t = shifted(low);
        const double length = norm(t);
        if (length <= radius) {
            // No gradient along the direction of negative curvature: follow it all the same.
            if (falls_away()) t[0] += (t[0] < 0.0 ? -1.0 : 1.0) * std::sqrt(std::max(0.0, radius * radius - length * length));
            return rotate(t);
        }
        low = std::max(low, 1e-12);
        double high = 1e14 * std::max(1.0, floor_ * 1e8);
        for (int k = 0; k < 120; ++k) {
            const double middle = std::sqrt(low * high);
            (norm(shifted(middle)) > radius ? low : high) = middle;
        }
        return rotate(shifted(high));
    }

    double predicted(const std::vector<double> &step) const {
        double sum = 0.0;
        for (int k = 0; k < n_; ++k) {
            double t = 0.0;
            for (int i = 0; i < n_; ++i) t += eigen_.vectors[k * n_ + i] * step[i];
            sum += g_[k] * t + 0.5 * eigen_.values[k] * t * t;
        }
        return sum;
    }

  private:
    std::vector<double> shifted(double shift) const {
        std::vector<double> t(n_);
        for (int k = 0; k < n_; ++k) t[k] = -g_[k] / (eigen_.values[k] + shift);
        return t;
    }

    std::vector<double> rotate(const std::vector<double> &t) const {
        std::vector<double> out(n_, 0.0);
        for (int k = 0; k < n_; ++k)
            for (int i = 0; i < n_; ++i) out[i] += eigen_.vectors[k * n_ + i] * t[k];
        return out;
    }

    int n_;
    Eigen eigen_;
    std::vector<double> g_;
    double floor_ = 0.0;
};

}  // namespace

namespace {

// Measured on the reference models: a wider first region and faster growth than 1 and 2 save a tenth of the evaluations.
constexpr double first_radius = 2.0, largest_radius = 1e9, growth = 3.0;

// When progress per step is worse than this factor near the optimum, the exact Hessian pays; where it is dear it is kept
// for the points where nothing else moves.
double slow_progress(const Criterion &criterion) { return criterion.plan().hessian_is_dear ? 0.5 : 0.02; }

}  // namespace

NewtonResult minimize(const Criterion &criterion, std::vector<double> start, const NewtonOptions &options) {
    NewtonResult out;
    Workspace workspace;
    workspace.n_threads = options.n_threads;
    out.theta = std::move(start);
    out.evaluation = criterion.evaluate(out.theta, {}, Want::derivatives, &workspace);
    out.n_evaluations = 1;
    if (!out.evaluation.ok) return out;
    const int n = criterion.n_theta();
    double radius = first_radius, last = std::numeric_limits<double>::infinity();
    bool exact = false;
    int accepted = 0, held_back = 0, stuck = 0;
    auto curvature = [&]() -> std::vector<double> {
        if (exact) {
            auto h = criterion.hessian(out.theta, {});
            if (!h.empty()) {
                ++out.n_hessians;
                return h;
            }
            exact = false;  // the trace says so
        }
        return out.evaluation.curvature;
    };
    Model model(out.evaluation.gradient, curvature());
    out.trace.push_back({out.evaluation.value, model.decrement(), radius, 0.0, true, exact});
    while (true) {
        out.decrement = model.decrement();
        if (options.exact_hessian && !exact && held_back >= 3 && (held_back >= 6 || !criterion.plan().hessian_is_dear)) {
            exact = true;  // the region stays small where average information leads the wrong way
            model = Model(out.evaluation.gradient, curvature());
            out.decrement = model.decrement();
        }
        if (options.exact_hessian && !exact && accepted >= 2 && out.decrement > slow_progress(criterion) * last && out.decrement < 1.0) {
            exact = true;  // close, yet only linear progress: average information is off here
            model = Model(out.evaluation.gradient, curvature());
            out.decrement = model.decrement();
        }
        last = out.decrement;
        if (out.decrement < options.tolerance && !model.falls_away()) {
            out.converged = true;
            break;
        }
        if (out.n_evaluations >= options.max_evaluations || radius < 1e-14) break;
        const std::vector<double> step = model.step(radius);
        const double length = norm(step), predicted = model.predicted(step), radius_then = radius;
        std::vector<double> theta(out.theta);
        for (int i = 0; i < n; ++i) theta[i] += step[i];
        Evaluation trial = criterion.evaluate(theta, {}, Want::derivatives, &workspace);
        ++out.n_evaluations;
        const double change = trial.ok ? trial.value - out.evaluation.value : std::numeric_limits<double>::infinity();
        const double ratio = predicted < 0.0 ? change / predicted : -1.0;
        // rss is what is left of y'y, and its relative error grows with their ratio
        const double noise = 1e-13 * std::abs(out.evaluation.value) +
                             4e-15 * criterion.degrees() * criterion.yy() / out.evaluation.rss;
        const bool accept = ratio > 1e-4 || (-predicted < options.tolerance + noise && change <= 0.1 * options.tolerance + noise);
        if (ratio > 0.75)
            radius = std::min(std::max(radius, growth * length), largest_radius);
        else if (ratio < 0.25 && (!accept || -predicted > noise))
            radius = 0.25 * length;
        // Nothing but rounding moves the criterion any more: the certificate will say how far that is from a minimum.
        stuck = std::abs(change) <= noise && out.decrement < noise ? stuck + 1 : 0;
        if (stuck >= 4) break;
        held_back = length > 0.9 * radius_then && ratio < 0.75 ? held_back + 1 : 0;
        if (accept) {
            ++accepted;
            out.theta = std::move(theta);
            out.evaluation = std::move(trial);
            model = Model(out.evaluation.gradient, curvature());
        }
        out.trace.push_back({accept ? out.evaluation.value : trial.value, model.decrement(), radius, length, accept, exact});
    }
    return out;
}

}  // namespace me
