// Errors of the linear functionals x'beta + z'b, row by row, from the factor: docs/algorithm.md, "Functionals".
#pragma once

#include <cstdint>
#include <vector>

#include "core/refill.hpp"
#include "core/sweep.hpp"

namespace me {

struct FunctionalRows {  // of the working columns
    std::int64_t n = 0;
    const double *X = nullptr;                // (n, p) row-major
    std::vector<const std::int32_t *> codes;  // by block; -1: no effect of this factor
    std::vector<const double *> Z;            // by block (n, k) row-major
};

// With K = (Z'WZ + S^-1)^-1: z'Kz, the variance of z'b given y and beta in units of sigma^2, and x - X'WZ K z.
// Levels in one row need not have been seen together.
class RowFunctionals {
  public:
    RowFunctionals(const Plan &plan, const Sweep<double> &sweep);  // after up() and root.differentiate()

    // `fixed` may be null for a plan without X.
    void compute(const FunctionalRows &rows, std::int64_t first, std::int64_t last, double *conditional, double *fixed) const;

  private:
    struct Active {  // a level that the functional touches: its own coefficients and those on its packed columns
        int node;
        std::vector<double> own, beyond;
    };
    struct Scratch {
        std::vector<std::vector<Active>> stages;
        std::vector<int> n_active;
        std::vector<double> root, Kz;
        std::vector<std::int32_t> touched;
        std::vector<char> is_touched;
    };
    Active &activate(Scratch &scratch, int stage, int node) const;
    void add_root(Scratch &scratch, std::int64_t at, double value) const;
    double eliminate(Scratch &scratch, int stage, const Active &active, double *x) const;
    double finish(Scratch &scratch, double *x) const;

    const Plan &plan_;
    const Sweep<double> &sweep_;
    std::vector<int> stage_of_;  // by block; -1 in the dense part
};

}  // namespace me
