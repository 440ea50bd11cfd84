// z'Kz of the rows that a plan was made of, for a plan with one eliminated factor.
#pragma once

#include <cstdint>
#include <vector>

#include "core/refill.hpp"
#include "core/sweep.hpp"

namespace me {

class FittedVariances {
  public:
    FittedVariances(const Plan &plan, const WorkingRows &rows);
    void compute(const Plan &plan, const Sweep<double> &sweep, const WorkingRows &rows, double *out) const;  // after down()

  private:
    // By dense block: for each row the first of its packed columns, counted within its node.
    std::vector<std::vector<std::int32_t>> place_;
};

}  // namespace me
