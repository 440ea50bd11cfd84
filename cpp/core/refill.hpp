// New numbers in a plan: the same rows under other weights. Where each number of a plan comes from is found once, by
// making a plan of cross-products that hold their own positions.
#pragma once

#include <cstdint>
#include <vector>

#include "core/plan.hpp"

namespace me {

struct WorkingRows {  // rows in the working columns
    std::int64_t n = 0;
    int p = 0;                                // columns of X that are used
    const double *X = nullptr;                // (n, p) row-major
    std::vector<const std::int32_t *> codes;  // by block
    std::vector<const double *> Z;            // by block (n, k) row-major
};

// X'v, p numbers.
void fixed_product(const WorkingRows &rows, const double *v, double *out);

class Refill {
  public:
    // `pattern` are the cross-products of the rows under any weights; with_X: whether the plan has the columns of X.
    Refill(const CrossProducts &pattern, const WorkingRows &rows, std::vector<Entry> entries, bool with_X);
    Refill(const Refill &other);  // a plan of its own
    Refill &operator=(const Refill &) = delete;

    // Writes the cross-products under the weights into the plan.
    void operator()(const WorkingRows &rows, const double *weights);
    const Plan &plan() const { return *plan_; }
    std::shared_ptr<const Plan> shared_plan() const { return plan_; }

    // Z'v by block, and X'v if the plan has X.
    Response response(const WorkingRows &rows, const double *v) const;
    Response nothing() const;  // that of v = 0

  private:
    void put();

    std::shared_ptr<Plan> plan_;
    std::vector<double> pairs_;                       // the numbers of the pairs, pair after pair
    std::vector<std::vector<std::int64_t>> cell_;     // by pair of blocks: for each row its first number in pairs_
    std::vector<std::vector<std::int64_t>> C_;        // by stage: for each packed number its place in pairs_
    std::vector<std::int64_t> D_from_, D_to_;         // places in pairs_, places in the lower triangle of D
};

}  // namespace me
